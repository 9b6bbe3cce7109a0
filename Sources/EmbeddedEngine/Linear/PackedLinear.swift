import CEngineKernels

/// A linear layer, output = activation(input · weightsᵀ + bias), packed once for a kernel path and a
/// precision. Any sizes will do.
struct PackedLinear: Sendable {
  /// Columns of the output.
  let outputs: Int
  /// Columns of the input.
  let inputs: Int
  let precision: Precision
  let path: KernelPath
  /// [outputs], or nil for none.
  var bias: FloatBuffer?
  private let panels: AlignedBuffer<UInt8>
  /// For int8: a scale an output, and what the sums begin with.
  private let scales: FloatBuffer?
  private let starts: AlignedBuffer<Int32>?

  /// Takes one or more tensors [rows][inputs] and stacks their outputs, as for keys and values that
  /// are computed in one product.
  ///
  /// - Parameters:
  ///   - weights: names of tensors [rows][inputs].
  ///   - biases: names of tensors [rows], as many as there are weights, or none.
  ///   - rows: outputs of one tensor.
  init(
    _ loader: inout TensorLoader, weights: [String], biases: [String] = [], rows: Int, inputs: Int,
    precision: Precision, path: KernelPath
  ) throws {
    precondition(biases.isEmpty || biases.count == weights.count, "a bias for each tensor or none")
    outputs = weights.count * rows
    self.inputs = inputs
    self.precision = precision
    self.path = path
    // Taken before memory is, whose size config.json alone has stated so far.
    let tables = try weights.map { try loader.table($0, rows: rows, columns: inputs) }
    bias = biases.isEmpty ? nil : try loader.floats(biases, shape: [rows])
    panels = AlignedBuffer(count: engine_panel_bytes(precision.numbers, outputs, inputs))
    let padded = engine_padded_outputs(outputs)
    scales = precision == .int8 ? FloatBuffer(count: padded) : nil
    starts = precision == .int8 ? AlignedBuffer(count: padded) : nil
    for (index, table) in tables.enumerated() { pack(table, first: index * rows) }
  }

  private func pack(_ table: EmbeddingTable, first: Int) {
    if let scales, let starts, table.type == .int8 {
      // Stored as it is computed with: nothing is lost on a way through floats.
      for row in 0..<table.rows { scales.start[first + row] = table.rowScales[row] }
      return packBytes(
        table.stored.bytes.baseAddress?.assumingMemoryBound(to: Int8.self), first: first,
        count: table.rows, starts)
    }
    let row = FloatBuffer(count: inputs)
    let bytes = AlignedBuffer<Int8>(count: inputs)
    panels.start.withMemoryRebound(to: UInt16.self, capacity: panels.count / 2) { brains in
      panels.start.withMemoryRebound(to: Float.self, capacity: panels.count / 4) { floats in
        for index in 0..<table.rows {
          table.copyRow(index, to: row.start)
          if let scales, let starts {
            scales.start[first + index] = engine_quantise_weights(inputs, row.start, bytes.start)
            packBytes(bytes.start, first: first + index, count: 1, starts)
          } else if precision == .bf16 {
            engine_pack_bfloat16(first + index, 1, inputs, row.start, brains)
          } else {
            engine_pack_float32(first + index, 1, inputs, row.start, floats)
          }
        }
      }
    }
  }

  private func packBytes(
    _ rows: UnsafePointer<Int8>?, first: Int, count: Int, _ starts: AlignedBuffer<Int32>
  ) {
    panels.start.withMemoryRebound(to: Int8.self, capacity: panels.count) {
      engine_pack_int8(
        path.enginePath, first, count, outputs, inputs, inputs, rows, $0, starts.start)
    }
  }

  /// Rows of input in the numbers that products read.
  struct Prepared {
    let rows: UnsafeRawPointer
    /// Bytes from one row to the next.
    let stride: Int
    /// For int8.
    let scales: UnsafePointer<Float>?
  }

  /// Floats of scratch that ``prepare(rows:input:inputStride:scratch:)`` needs for so many rows.
  func scratchFloats(rows: Int) -> Int {
    guard precision != .fp32 else { return 0 }
    return rows * (preparedRowBytes / 4 + 1)
  }

  private var preparedRowBytes: Int {
    engine_prepared_row_bytes(path.enginePath, precision.numbers, inputs)
  }

  /// Rounds or quantises rows of input once for all layers of the same precision and path that read
  /// them.
  ///
  /// - Parameters:
  ///   - input: [rows][inputs], rows `inputStride` floats apart.
  ///   - scratch: ``scratchFloats(rows:)`` floats, in use for as long as the result is.
  func prepare(
    rows: Int, input: UnsafePointer<Float>, inputStride: Int, scratch: UnsafeMutablePointer<Float>
  ) -> Prepared {
    guard precision != .fp32 else {
      return Prepared(rows: input, stride: inputStride * 4, scales: nil)
    }
    let stride = preparedRowBytes
    let scales = scratch + rows * stride / 4
    engine_prepare(
      path.enginePath, precision.numbers, rows, inputs, inputs, input, inputStride, scratch, scales)
    return Prepared(
      rows: scratch, stride: stride, scales: precision == .int8 ? UnsafePointer(scales) : nil)
  }

  /// Computes so many rows.
  ///
  /// - Parameters:
  ///   - output: [rows][outputs], rows `outputStride` elements apart; may not overlap the input.
  func apply(
    rows: Int, input: Prepared, output: UnsafeMutablePointer<Float>, outputStride: Int,
    activation: engine_activation = .none
  ) {
    multiply(rows, input, activation, output, outputStride, .float32)
  }

  /// Computes so many rows and rounds them to bfloat16.
  func apply(
    rows: Int, input: Prepared, output: UnsafeMutablePointer<UInt16>, outputStride: Int
  ) {
    multiply(rows, input, .none, output, outputStride, .bfloat16)
  }

  /// Prepares and computes in one go.
  ///
  /// - Parameters:
  ///   - input: [rows][inputs], rows `inputStride` floats apart.
  ///   - output: [rows][outputs], rows `outputStride` floats apart; may not overlap the input.
  ///   - scratch: ``scratchFloats(rows:)`` floats, for this call alone.
  func apply(
    rows: Int, input: UnsafePointer<Float>, inputStride: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int, activation: engine_activation = .none, scratch: UnsafeMutablePointer<Float>
  ) {
    apply(
      rows: rows,
      input: prepare(rows: rows, input: input, inputStride: inputStride, scratch: scratch),
      output: output, outputStride: outputStride, activation: activation)
  }

  private func multiply(
    _ rows: Int, _ input: Prepared, _ activation: engine_activation,
    _ output: UnsafeMutableRawPointer, _ outputStride: Int, _ outputType: engine_type
  ) {
    var layer = engine_layer(
      numbers: precision.numbers, outputs: outputs, inputs: inputs, group: inputs,
      panels: panels.start, bias: bias?.start, scales: scales?.start, starts: starts?.start)
    engine_product(
      path.enginePath, &layer, rows, input.rows, input.stride, input.scales, activation, output,
      outputStride, outputType)
  }
}
