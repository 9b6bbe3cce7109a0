import CEngineKernels

/// A linear layer, output = activation(input · weightsᵀ + bias), packed once for a kernel path and
/// a precision. Any sizes will do.
struct PackedLinear: Sendable {
  /// Columns of the output.
  let outputs: Int
  /// Columns of the input.
  let inputs: Int
  let precision: Precision
  let path: KernelPath
  /// Inputs that share a scale: with int8 all of them.
  private let group: Int
  /// [outputs], or nil for none.
  var bias: FloatBuffer?
  private let panels: AlignedBuffer<UInt8>
  /// For 8-bit weights: [groups][padded outputs].
  private let scales: FloatBuffer?
  /// For int8: what the sums begin with.
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
    let panelBytes = engine_panel_bytes(precision.numbers, outputs, inputs)
    panels = AlignedBuffer(count: precision == .w8a16 ? panelBytes / 2 : panelBytes)
    let padded = engine_padded_outputs(outputs)
    group = precision == .w8a16 ? Self.widenedGroup : inputs
    scales =
      precision.hasByteWeights
      ? FloatBuffer(count: (inputs + group - 1) / group * padded) : nil
    starts = precision == .int8 ? AlignedBuffer(count: padded) : nil
    for (index, table) in tables.enumerated() { pack(table, first: index * rows) }
  }

  /// A trained row has few large weights: with a scale for each part of it the others keep more of
  /// their bits. Over 100 real pairs that took the largest drift of a MiniLM from 16% of the
  /// logits' standard deviation to 6%, for 6% more memory.
  private static let widenedGroup = 64

  private func pack(_ table: EmbeddingTable, first: Int) {
    let padded = engine_padded_outputs(outputs)
    if let scales, table.type == .int8 {
      // Stored as it is computed with: nothing is lost on a way through floats.
      for place in stride(from: first, to: scales.count, by: padded) {
        for row in 0..<table.rows { scales.start[place + row] = table.rowScales[row] }
      }
      return packBytes(
        table.stored.bytes.baseAddress?.assumingMemoryBound(to: Int8.self), first: first,
        count: table.rows)
    }
    let row = FloatBuffer(count: inputs)
    let bytes = AlignedBuffer<Int8>(count: inputs)
    panels.start.withMemoryRebound(to: UInt16.self, capacity: panels.count / 2) { brains in
      panels.start.withMemoryRebound(to: Float.self, capacity: panels.count / 4) { floats in
        for index in first..<first + table.rows {
          table.copyRow(index - first, to: row.start)
          if let scales {
            for (number, start) in stride(from: 0, to: inputs, by: group).enumerated() {
              scales.start[number * padded + index] = engine_quantise_weights(
                min(group, inputs - start), row.start + start, bytes.start + start)
            }
            packBytes(bytes.start, first: index, count: 1)
          } else if precision == .bf16 {
            engine_pack_bfloat16(index, 1, inputs, row.start, brains)
          } else {
            engine_pack_float32(index, 1, inputs, row.start, floats)
          }
        }
      }
    }
  }

  private func packBytes(_ rows: UnsafePointer<Int8>?, first: Int, count: Int) {
    panels.start.withMemoryRebound(to: Int8.self, capacity: panels.count) { bytes in
      if let starts {
        engine_pack_int8(
          path.enginePath, first, count, outputs, inputs, inputs, rows, bytes, starts.start)
      } else {
        engine_pack_widened(first, count, inputs, rows, bytes)
      }
    }
  }

  /// Rows of input in the numbers that products read.
  struct Prepared {
    let rows: UnsafeRawPointer
    /// Bytes from one row to the next.
    let stride: Int
    /// For int8.
    let scales: UnsafePointer<Float>?
    /// For w8a16: room for a block of weights in bfloat16.
    let block: UnsafeMutablePointer<UInt16>?
  }

  /// Outputs whose weights w8a16 widens at a time, for all rows: they stay in the second-level
  /// cache, and a tile of the kernels is as wide.
  private static let blockOutputs = 32

  /// bfloat16 numbers, or bytes, in so many outputs' panels.
  private func panelNumbers(outputs: Int) -> Int {
    engine_panel_bytes(.bfloat16, outputs, inputs) / 2
  }

  /// Floats of scratch that ``prepare(rows:input:inputStride:scratch:)`` needs for so many rows.
  func scratchFloats(rows: Int) -> Int {
    guard precision != .fp32 else { return 0 }
    let block = precision == .w8a16 ? panelNumbers(outputs: Self.blockOutputs) / 2 : 0
    return rows * (preparedRowBytes / 4 + 1) + block
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
      return Prepared(rows: input, stride: inputStride * 4, scales: nil, block: nil)
    }
    let stride = preparedRowBytes
    let scales = scratch + rows * stride / 4
    engine_prepare(
      path.enginePath, precision.numbers, rows, inputs, inputs, input, inputStride, scratch, scales)
    return Prepared(
      rows: scratch, stride: stride, scales: precision == .int8 ? UnsafePointer(scales) : nil,
      block: precision == .w8a16
        ? UnsafeMutableRawPointer(scales + rows).assumingMemoryBound(to: UInt16.self) : nil)
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
    guard let block = input.block, let scales else {
      var layer = engine_layer(
        numbers: precision.numbers, outputs: outputs, inputs: inputs, group: inputs,
        panels: panels.start, bias: bias?.start, scales: scales?.start, starts: starts?.start)
      return engine_product(
        path.enginePath, &layer, rows, input.rows, input.stride, input.scales, activation, output,
        outputStride, outputType)
    }
    let outputBytes = outputType == .bfloat16 ? 2 : 4
    panels.start.withMemoryRebound(to: Int8.self, capacity: panels.count) { bytes in
      for first in stride(from: 0, to: outputs, by: Self.blockOutputs) {
        let count = min(Self.blockOutputs, outputs - first)
        engine_widen(
          path.enginePath, count, inputs, group, bytes + panelNumbers(outputs: first),
          scales.start + first, engine_padded_outputs(outputs), block)
        var layer = engine_layer(
          numbers: .bfloat16, outputs: count, inputs: inputs, group: inputs, panels: block,
          bias: bias.map { UnsafePointer($0.start + first) }, scales: nil, starts: nil)
        engine_product(
          path.enginePath, &layer, rows, input.rows, input.stride, nil, activation,
          output + first * outputBytes, outputStride, outputType)
      }
    }
  }
}
