import CEngineKernels
import Foundation
import Testing

@testable import EmbeddedEngine

/// The 8-bit and bfloat16 kernels against plain code, on every path of this machine.
@Suite struct NarrowKernelTests {
  static let paths = KernelPath.allCases.filter(\.isSupported)

  /// Plain code's rounding to bfloat16.
  private func brain(_ x: Float) -> Float {
    let bits = x.bitPattern
    return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
  }

  @Test(arguments: paths)
  func sumsOfBytesAreThoseOfPlainIntegers(path: KernelPath) {
    var random = Noise(seed: 11)
    for (n, k, group) in [
      (1, 1, nil), (15, 3, nil), (16, 4, nil), (17, 37, nil), (33, 64, 16), (48, 100, 48),
      (31, 50, 32),
    ] as [(Int, Int, Int?)] {
      // The extremes among them, which would saturate 16 bits.
      let weights = (0..<n * k).map { index in
        index % 3 == 0 ? Int8(index % 2 == 0 ? 127 : -127) : Int8(random.next() * 127)
      }
      let bias = random.floats(n)
      let layer = TestLayer(
        path, .int8, rows: [], outputs: n, inputs: k, group: group, bias: bias, integers: weights)
      for m in [1, 7, 13] {
        let a = random.floats(m * (k + 3)).enumerated().map { $0.offset % 5 == 0 ? 1 : $0.element }
        let scales = layer.prepared(a, rows: m, stride: k + 3).scales
        let c = layer.apply(a, rows: m, stride: k + 3, outputStride: n + 5)
        for row in 0..<m {
          for column in 0..<n {
            var expected = Double(bias[column])
            for (group, first) in stride(from: 0, to: k, by: layer.group).enumerated() {
              let part = row * (k + 3) + first..<row * (k + 3) + min(first + layer.group, k)
              let most = a[part].map(abs).max() ?? 0
              let inverse = 127 / most
              let sum = part.reduce(0) { sum, index in
                let q = Int((a[index] * inverse).rounded(.toNearestOrEven))
                return sum + q * Int(weights[column * k + index - row * (k + 3)])
              }
              #expect(scales[row * layer.groups + group] == most / 127)
              expected += Double(sum) * Double(most / 127)
            }
            let error = abs(Double(c[row * (n + 5) + column]) - expected)
            // A sum that is one off would be a scale's 1/127 away.
            #expect(error < 1e-3, "\(m)×\(n)×\(k) at \(row), \(column)")
          }
          #expect(c[(row * (n + 5) + n)..<((row + 1) * (n + 5))].allSatisfy { $0 == 7 })
        }
      }
    }
  }

  /// Weights that hand the quantised input on.
  private func identity(_ path: KernelPath, _ size: Int) -> TestLayer {
    TestLayer(
      path, .int8, rows: [], outputs: size, inputs: size,
      integers: (0..<size * size).map { $0 / size == $0 % size ? 1 : 0 })
  }

  @Test(arguments: paths)
  func quantisingRoundsToEvenAndKeepsTheSign(path: KernelPath) {
    let x: [Float] = [
      127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, -0.51, 126.5, -126.5, 126.49, -127, 0, -0.0, 3,
      64.5, -65.5, 1e-30,
    ]
    let y = identity(path, x.count).apply(
      x, rows: 1, stride: x.count, outputStride: x.count)
    #expect(y == x.map { $0.rounded(.toNearestOrEven) })
  }

  @Test(arguments: paths)
  func aRowOfZerosOrOfNothingToSpeakOfIsZero(path: KernelPath) {
    for value: Float in [0, -0.0, .leastNonzeroMagnitude, 1e-36] {
      var layer = identity(path, 20)
      layer.bias = Array(repeating: 3, count: 20)
      let y = layer.apply(
        Array(repeating: value, count: 20), rows: 1, stride: 20, outputStride: 20)
      #expect(y == Array(repeating: 3, count: 20))
    }
  }

  @Test(arguments: paths, [engine_type.int8, .bfloat16])
  func aNumberThatIsNoneSpoilsItsRowAndNoOther(path: KernelPath, numbers: engine_type) {
    var random = Noise(seed: 12)
    let layer = TestLayer(
      path, numbers, rows: random.floats(18 * 40), outputs: 18, inputs: 40)
    for broken in [Float.nan, -.nan, .infinity, -.infinity] {
      for position in [0, 15, 16, 39] {
        var a = random.floats(3 * 40)
        a[40 + position] = broken
        let y = layer.apply(a, rows: 3, stride: 40, outputStride: 18)
        #expect(y[18..<36].allSatisfy { !$0.isFinite })
        #expect((y[..<18] + y[36...]).allSatisfy { $0.isFinite })
      }
    }
  }

  /// Bytes with scales are the panels that their products, rounded, are packed into.
  @Test(arguments: paths)
  func widenedBytesArePanelsOfBFloat16(path: KernelPath) {
    var random = Noise(seed: 15)
    for (n, k, group) in [(1, 1, 2), (16, 2, 64), (17, 37, 16), (48, 100, 64), (33, 255, 6)] {
      let groups = (k + group - 1) / group
      let padded = engine_padded_outputs(n)
      let integers = (0..<n * k).map { Int8(truncatingIfNeeded: $0 * 7 % 255 - 127) }
      let scales = random.floats(groups * padded)
      let rows = integers.indices.map {
        Float(integers[$0]) * scales[$0 % k / group * padded + $0 / k]
      }
      let count = engine_panel_bytes(.bfloat16, n, k) / 2
      var expected = [UInt16](repeating: 0, count: count)
      engine_pack_bfloat16(0, n, k, rows, &expected)
      var packed = [Int8](repeating: 0, count: count)
      // In two steps, as rows come.
      engine_pack_widened(0, 1, k, integers, &packed)
      engine_pack_widened(1, n - 1, k, Array(integers[k...]), &packed)
      var panels = [UInt16](repeating: 7, count: count)
      engine_widen(path.enginePath, n, k, group, packed, scales, padded, &panels)
      // Zero has a sign in the padding.
      #expect(panels.map { $0 == 0x8000 ? 0 : $0 } == expected.map { $0 == 0x8000 ? 0 : $0 })
    }
  }

  @Test func weightsAreQuantisedToTheirLargest() {
    func quantised(_ row: [Float]) -> (scale: Float, bytes: [Int8]) {
      var bytes = [Int8](repeating: 5, count: row.count)
      return (engine_quantise_weights(row.count, row, &bytes), bytes)
    }
    #expect(quantised([-127, 126.5, 0.5, -1.5, 0]).bytes == [-127, 126, 0, -2, 0])
    #expect(quantised([-254, 254]).bytes == [-127, 127])
    #expect(quantised([-254, 254]).scale == 2)
    #expect(quantised([0, 0, -0.0]).scale == 0)
    #expect(quantised([0, 0, -0.0]).bytes == [0, 0, 0])
    #expect(quantised([1, .nan]).scale.isNaN)
    #expect(quantised([1, -.infinity]).scale.isNaN)
  }

  @Test(arguments: paths)
  func productsInBFloat16AreThoseOfPlainCode(path: KernelPath) {
    var random = Noise(seed: 13)
    for n in [1, 16, 17, 33] {
      for k in [1, 2, 16, 37] {
        let rows = random.floats(n * k)
        let bias = random.floats(n)
        let layer = TestLayer(path, .bfloat16, rows: rows, outputs: n, inputs: k, bias: bias)
        for m in [1, 5, 13] {
          let a = random.floats(m * (k + 3))
          let c = layer.apply(a, rows: m, stride: k + 3, outputStride: n + 5)
          for row in 0..<m {
            for column in 0..<n {
              let sum = (0..<k).reduce(Double(bias[column])) {
                $0 + Double(brain(a[row * (k + 3) + $1])) * Double(brain(rows[column * k + $1]))
              }
              let error = abs(Double(c[row * (n + 5) + column]) - sum)
              #expect(error < 1e-5, "\(m)×\(n)×\(k) at \(row), \(column)")
            }
            #expect(c[(row * (n + 5) + n)..<((row + 1) * (n + 5))].allSatisfy { $0 == 7 })
          }
        }
      }
    }
  }

  @Test(arguments: paths, Precision.allCases)
  func anOutputInBFloat16IsTheFloatsRounded(path: KernelPath, precision: Precision) {
    var random = Noise(seed: 14)
    for n in [5, 16, 40] {
      let layer = TestLayer(
        path, precision.numbers, rows: random.floats(n * 24), outputs: n, inputs: 24)
      let a = random.floats(13 * 24)
      let floats = layer.apply(a, rows: 13, stride: 24, outputStride: n + 3)
      let brains = layer.applyInBFloat16(a, rows: 13, stride: 24, outputStride: n + 3)
      for (index, value) in floats.enumerated() {
        let isBeyond = index % (n + 3) >= n
        #expect(
          isBeyond
            ? brains[index] == 7 : UInt32(brains[index]) << 16 == brain(value).bitPattern)
      }
    }
  }

  @Test(arguments: paths.filter { engine_attention_bfloat16_supported($0.enginePath, 32) })
  func attentionInBFloat16IsThatOfPlainCode(path: KernelPath) {
    #expect(!engine_attention_bfloat16_supported(path.enginePath, 20))
    var random = Noise(seed: 15)
    for (tokens, size) in [(1, 32), (7, 64), (16, 32), (45, 96)] {
      let stride = 3 * size + 2
      let floats = random.floats(tokens * stride).map { brain($0 * 3) }
      let scale = 1 / Float(size).squareRoot()
      let qkv = floats.map { UInt16($0.bitPattern >> 16) }
      func attend(_ values: [UInt16], _ queryRow: Int, _ queryRows: Int) -> [Float] {
        var out = [Float](repeating: 0, count: queryRows * size)
        // Scratch that was used before must not show in the result.
        var scratch = [UInt8](
          repeating: 0xFF, count: engine_attention_bfloat16_scratch_bytes(tokens, size))
        values.withUnsafeBufferPointer { buffer in
          guard let start = buffer.baseAddress else { return }
          engine_attention_bfloat16(
            path.enginePath, queryRows, tokens, size, scale, start + queryRow * stride, stride,
            start + size, start + 2 * size, stride, &out, size, &scratch)
        }
        return out
      }
      let out = attend(qkv, 0, tokens)
      for row in 0..<tokens {
        let scores = (0..<tokens).map { key in
          (0..<size).reduce(0.0) {
            $0 + Double(floats[row * stride + $1]) * Double(floats[key * stride + size + $1])
          } * Double(scale)
        }
        let most = scores.max() ?? 0
        let weights = scores.map { exp($0 - most) }
        let sum = weights.reduce(0, +)
        for column in 0..<size {
          let expected = (0..<tokens).reduce(0.0) {
            $0 + weights[$1] / sum * Double(floats[$1 * stride + 2 * size + column])
          }
          #expect(abs(expected - Double(out[row * size + column])) < 6e-3, "\(tokens) tokens")
        }
        #expect(attend(qkv, row, 1) == Array(out[row * size..<(row + 1) * size]))
      }
      var broken = qkv
      broken[(tokens - 1) * stride + size] = 0x7FC0
      #expect(attend(broken, 0, tokens).allSatisfy { $0.isNaN })
    }
  }
}
