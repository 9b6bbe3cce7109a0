import CEngineKernels

@testable import EmbeddedEngine

/// A linear layer as the kernels take it, from plain rows of weights.
struct TestLayer {
  let path: KernelPath
  let numbers: engine_type
  let outputs: Int
  let inputs: Int
  let group: Int
  var bias: [Float]?
  private(set) var scales: [Float]
  private var panels: [UInt8]
  private var starts: [Int32]

  var groups: Int { (inputs + group - 1) / group }

  /// For int8 the rows are quantised, unless they are `integers` already, whose scale is then 1.
  init(
    _ path: KernelPath, _ numbers: engine_type, rows: [Float], outputs: Int, inputs: Int,
    group: Int? = nil, bias: [Float]? = nil, integers: [Int8]? = nil
  ) {
    self.path = path
    self.numbers = numbers
    self.outputs = outputs
    self.inputs = inputs
    self.group = group ?? inputs
    self.bias = bias
    let padded = engine_padded_outputs(outputs)
    panels = Array(repeating: 0, count: engine_panel_bytes(numbers, outputs, inputs))
    scales = Array(repeating: 0, count: padded)
    starts = Array(
      repeating: 0, count: padded * ((inputs + self.group - 1) / self.group))
    panels.withUnsafeMutableBytes { memory in
      switch numbers {
      case .int8:
        var bytes = integers ?? Array(repeating: 0, count: outputs * inputs)
        for output in 0..<outputs {
          guard integers == nil else {
            scales[output] = 1
            continue
          }
          var row = Array(repeating: Int8(0), count: inputs)
          scales[output] = engine_quantise_weights(
            inputs, Array(rows[output * inputs..<(output + 1) * inputs]), &row)
          bytes.replaceSubrange(output * inputs..<(output + 1) * inputs, with: row)
        }
        engine_pack_int8(
          path.enginePath, 0, outputs, outputs, inputs, self.group, bytes,
          memory.bindMemory(to: Int8.self).baseAddress, &starts)
      case .bfloat16:
        engine_pack_bfloat16(
          0, outputs, inputs, rows, memory.bindMemory(to: UInt16.self).baseAddress)
      default:
        engine_pack_float32(
          0, outputs, inputs, rows, memory.bindMemory(to: Float.self).baseAddress)
      }
    }
  }

  /// Rows of input as products read them, and their scales.
  func prepared(_ a: [Float], rows: Int, stride: Int) -> (bytes: [UInt8], scales: [Float]) {
    var bytes = Array(
      repeating: UInt8(7), count: rows * engine_prepared_row_bytes(path.enginePath, numbers, inputs)
    )
    var scales = Array(repeating: Float(7), count: rows * groups)
    engine_prepare(path.enginePath, numbers, rows, inputs, group, a, stride, &bytes, &scales)
    return (bytes, scales)
  }

  /// The output [rows][outputStride], sevens where nothing was to be written.
  func apply(
    _ a: [Float], rows: Int, stride: Int, outputStride: Int,
    activation: engine_activation = .none
  ) -> [Float] {
    var out = [Float](repeating: 7, count: rows * outputStride)
    run(a, rows, stride, activation, &out, outputStride, .float32)
    return out
  }

  /// The output in bfloat16.
  func applyInBFloat16(_ a: [Float], rows: Int, stride: Int, outputStride: Int) -> [UInt16] {
    var out = [UInt16](repeating: 7, count: rows * outputStride)
    run(a, rows, stride, .none, &out, outputStride, .bfloat16)
    return out
  }

  private func run(
    _ a: [Float], _ rows: Int, _ stride: Int, _ activation: engine_activation,
    _ out: UnsafeMutableRawPointer, _ outputStride: Int, _ type: engine_type
  ) {
    func call(_ input: UnsafeRawPointer?, _ inputStride: Int, _ inputScales: [Float]) {
      panels.withUnsafeBytes { panels in
        scales.withUnsafeBufferPointer { scales in
          starts.withUnsafeBufferPointer { starts in
            (bias ?? []).withUnsafeBufferPointer { bias in
              var layer = engine_layer(
                numbers: numbers, outputs: outputs, inputs: inputs, group: group,
                panels: panels.baseAddress, bias: self.bias == nil ? nil : bias.baseAddress,
                scales: scales.baseAddress, starts: starts.baseAddress)
              engine_product(
                path.enginePath, &layer, rows, input, inputStride, inputScales, activation, out,
                outputStride, type)
            }
          }
        }
      }
    }
    if numbers == .float32 {
      a.withUnsafeBytes { call($0.baseAddress, stride * 4, []) }
    } else {
      let (bytes, inputScales) = prepared(a, rows: rows, stride: stride)
      bytes.withUnsafeBytes { call($0.baseAddress, bytes.count / rows, inputScales) }
    }
  }
}
