import CEngineKernels

/// Takes tensors out of a file by name and shape, and knows which were taken.
struct TensorLoader {
  let source: any WeightSource
  private(set) var taken: Set<String> = []

  init(source: any WeightSource) {
    self.source = source
  }

  /// Names of the tensors that nothing asked for, in order.
  var remaining: [String] {
    source.tensors.keys.filter { !taken.contains($0) }.sorted()
  }

  /// The tensors that nothing asked for, all of which must be known to have no effect.
  ///
  /// - Parameters:
  ///   - model: what the weights are to be of, for the message.
  func knownSurplus(_ model: String, _ isKnown: (String) -> Bool) throws -> [String] {
    let surplus = remaining
    if let unknown = surplus.first(where: { !isKnown($0) }) {
      throw EmbeddedEngineError(
        code: .unusableTensor,
        message: "\(source.label) has a tensor \(unknown) that no \(model) has: does config.json "
          + "belong to these weights?")
    }
    return surplus
  }

  /// One or more tensors of a shape, one after the other.
  mutating func floats(_ names: [String], shape: [Int]) throws -> FloatBuffer {
    // All are found before memory is taken, whose size config.json alone has stated so far.
    let found = try names.map { try take($0, shape: shape) }
    let count = shape.reduce(1, *)
    let buffer = FloatBuffer(count: names.count * count)
    for (index, (tensor, type)) in found.enumerated() {
      try read(tensor, type, into: buffer.start + index * count)
    }
    return buffer
  }

  /// A table whose rows stay in the type that they are stored in.
  mutating func table(_ name: String, rows: Int, columns: Int) throws -> EmbeddingTable {
    let (tensor, type) = try take(name, shape: [rows, columns])
    return EmbeddingTable(
      stored: try source.bytes(of: tensor), type: type, rows: rows, columns: columns,
      rowScales: tensor.rowScales)
  }

  /// A few rows of a large table, in the order given.
  mutating func rows(_ rows: [Int], of name: String, shape: [Int]) throws -> EmbeddingTable {
    let (tensor, type) = try take(name, shape: shape)
    let rowBytes = tensor.byteCount / shape[0]
    let stored = try TensorBytes(count: rows.count * rowBytes) { memory in
      for (index, row) in rows.enumerated() {
        let bytes = try source.bytes(of: tensor.rows(row..<row + 1))
        memory[index * rowBytes..<(index + 1) * rowBytes].copyBytes(from: bytes.bytes)
      }
    }
    return EmbeddingTable(
      stored: stored, type: type, rows: rows.count, columns: shape[1],
      rowScales: tensor.rowScales.isEmpty ? [] : rows.map { tensor.rowScales[$0] })
  }

  private func read(
    _ tensor: StoredTensor, _ type: engine_type, into destination: UnsafeMutablePointer<Float>
  ) throws {
    let stored = try source.bytes(of: tensor)
    guard type == .int8 else {
      let count = tensor.shape.reduce(1, *)
      return engine_convert(type, count, stored.bytes.baseAddress, 1, destination)
    }
    let columns = tensor.shape[1]
    for (row, scale) in tensor.rowScales.enumerated() {
      engine_convert(
        type, columns, stored.bytes.baseAddress.map { $0 + row * columns }, scale,
        destination + row * columns)
    }
  }

  private mutating func take(
    _ name: String, shape: [Int]
  ) throws -> (StoredTensor, engine_type) {
    guard let tensor = source.tensors[name] else {
      throw EmbeddedEngineError(
        code: .unusableTensor,
        message: "\(source.label) has no tensor \(name), which the model needs")
    }
    guard tensor.shape == shape else {
      throw EmbeddedEngineError(
        code: .unusableTensor,
        message: "\(source.label): tensor \(name) has shape \(tensor.shape); config.json makes it "
          + "\(shape)")
    }
    guard let type = tensor.type.kernelType else {
      throw EmbeddedEngineError(
        code: .unusableTensor,
        message: "\(source.label): tensor \(name) is of type \(tensor.typeName); F32, F16 and BF16 "
          + "can be read")
    }
    taken.insert(name)
    return (tensor, type)
  }
}

/// Rows that are looked up one at a time, [rows][columns], in their stored type.
struct EmbeddingTable: Sendable {
  let stored: TensorBytes
  let type: engine_type
  let rows: Int
  let columns: Int
  let rowScales: [Float]

  private var rowBytes: Int { stored.bytes.count / rows }

  /// Writes the row as floats. The row's number must be below ``rows``.
  func copyRow(_ row: Int, to destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of a table of \(rows)")
    engine_convert(
      type, columns, stored.bytes.baseAddress.map { $0 + row * rowBytes },
      rowScales.isEmpty ? 1 : rowScales[row], destination)
  }
}
