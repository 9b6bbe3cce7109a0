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
  private let panels: FloatBuffer
  /// [outputs], or nil for none.
  var bias: FloatBuffer?

  /// Takes one or more tensors [rows][inputs] and stacks their outputs, as for queries, keys and
  /// values that are computed in one product.
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
    let unpacked = try loader.floats(weights, shape: [rows, inputs])
    bias = biases.isEmpty ? nil : try loader.floats(biases, shape: [rows])
    outputs = weights.count * rows
    self.inputs = inputs
    self.precision = precision
    self.path = path
    panels = FloatBuffer(count: engine_packed_floats(outputs, inputs))
    engine_pack(outputs, inputs, unpacked.start, panels.start)
  }

  /// Floats of scratch that a product over so many rows needs.
  func scratchFloats(rows: Int) -> Int { 0 }

  /// Computes so many rows.
  ///
  /// - Parameters:
  ///   - input: [rows][inputs], rows `inputStride` floats apart.
  ///   - output: [rows][outputs], rows `outputStride` floats apart; may not overlap the input.
  ///   - scratch: ``scratchFloats(rows:)`` floats, for this call alone.
  func apply(
    rows: Int, input: UnsafePointer<Float>, inputStride: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int, activation: engine_activation = .none, scratch: UnsafeMutablePointer<Float>
  ) {
    engine_gemm(
      path.enginePath, rows, outputs, inputs, input, inputStride, panels.start, bias?.start,
      activation, output, outputStride)
  }
}
