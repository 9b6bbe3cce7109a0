import CEngineKernels
import Foundation
import Testing

@testable import EmbeddedEngine

/// Each kernel against plain code in double precision, on every path of this machine.
@Suite struct KernelTests {
  static let paths = KernelPath.allCases.filter(\.isSupported)

  @Test(arguments: paths)
  func productsOfOddSizesAreThoseOfPlainCode(path: KernelPath) {
    var random = Noise(seed: 1)
    for n in [1, 16, 17, 33] {
      for k in [1, 3, 16, 37] {
        let rows = random.floats(n * k)
        let bias = random.floats(n)
        let layer = TestLayer(path, .float32, rows: rows, outputs: n, inputs: k, bias: bias)
        for m in [1, 2, 6, 7, 12, 25] {
          let a = random.floats(m * (k + 3))
          let stride = n + 5
          let c = layer.apply(a, rows: m, stride: k + 3, outputStride: stride)
          for row in 0..<m {
            for column in 0..<n {
              let sum = (0..<k).reduce(Double(bias[column])) {
                $0 + Double(a[row * (k + 3) + $1]) * Double(rows[column * k + $1])
              }
              let error = abs(Double(c[row * stride + column]) - sum)
              #expect(error < 1e-5, "\(m)×\(n)×\(k) at \(row), \(column)")
            }
            #expect(
              c[(row * stride + n)..<((row + 1) * stride)].allSatisfy { $0 == 7 },
              "written beyond \(n) columns")
          }
        }
      }
    }
  }

  @Test(arguments: paths, Precision.allCases)
  func aRowsBitsDoNotDependOnItsNeighbours(path: KernelPath, precision: Precision) {
    var random = Noise(seed: 2)
    let (m, n, k) = (29, 83, 131)
    let a = random.floats(m * k)
    let layer = TestLayer(
      path, precision.numbers, rows: random.floats(n * k), outputs: n, inputs: k, group: 48)
    for activation in [engine_activation.none, .gelu] {
      let together = layer.apply(a, rows: m, stride: k, outputStride: n, activation: activation)
      for row in 0..<m {
        let alone = layer.apply(
          Array(a[row * k..<(row + 1) * k]), rows: 1, stride: k, outputStride: n,
          activation: activation)
        #expect(alone == Array(together[row * n..<(row + 1) * n]), "row \(row)")
      }
    }
  }

  @Test(arguments: paths)
  func activationsAreTheirFormulas(path: KernelPath) {
    let x = (-6000...6000).map { Float($0) / 500 }
    let formulas: [(engine_activation, (Double) -> Double)] = [
      (.none, { $0 }),
      (.gelu, { $0 * 0.5 * erfc(-$0 / 2.0.squareRoot()) }),
      (
        .geluTanh,
        {
          let u = (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)
          return 0.5 * $0 * (1 + tanh(u))
        }
      ),
      (.relu, { max($0, 0) }),
    ]
    for (activation, formula) in formulas {
      var y = x
      engine_activate(path.enginePath, activation, y.count, &y)
      let error = zip(x, y).map { abs(formula(Double($0)) - Double($1)) }.max() ?? .infinity
      #expect(error <= 1e-6, "\(activation)")
      var edges: [Float] = [.nan, 200, -200]
      engine_activate(path.enginePath, activation, edges.count, &edges)
      #expect(edges[0].isNaN)
      #expect(edges[1] == 200)
      #expect(abs(edges[2] - (activation == .none ? -200 : 0)) < 1e-30)
    }
  }

  @Test(arguments: paths)
  func softmaxIsThatOfPlainCode(path: KernelPath) {
    var random = Noise(seed: 3)
    for n in [1, 2, 15, 16, 17, 32, 100, 511] {
      for spread: Float in [1, 1e4] {
        let stride = n + 3
        let x = random.floats(3 * stride).map { $0 * spread }
        var y = x
        engine_softmax(path.enginePath, 3, n, 0.25, &y, stride)
        for row in 0..<3 {
          let before = x[row * stride..<row * stride + n].map { Double($0) * 0.25 }
          let most = before.max() ?? 0
          let sum = before.reduce(0) { $0 + exp($1 - most) }
          for (index, value) in before.enumerated() {
            let error = abs(exp(value - most) / sum - Double(y[row * stride + index]))
            #expect(error < 1e-6, "\(n) columns, spread \(spread)")
          }
          #expect(
            Array(y[(row * stride + n)..<((row + 1) * stride)])
              == Array(x[(row * stride + n)..<((row + 1) * stride)]))
        }
      }
    }
  }

  @Test(arguments: paths)
  func softmaxOfANumberThatIsNoneIsNone(path: KernelPath) {
    for broken in [Float.nan, .infinity] {
      for position in [0, 17, 33] {
        var x = [Float](repeating: 1, count: 40)
        x[position] = broken
        engine_softmax(path.enginePath, 1, 40, 1, &x, 40)
        #expect(x.contains { $0.isNaN })
      }
    }
  }

  @Test(arguments: paths)
  func layerNormIsThatOfPlainCode(path: KernelPath) {
    var random = Noise(seed: 4)
    for n in [1, 15, 16, 17, 40, 384] {
      for residualIsThere in [true, false] {
        // A mean far from zero: a one-pass variance would cancel.
        let x = random.floats(3 * n).map { $0 + 100 }
        let residual = random.floats(3 * n)
        let gain = random.floats(n)
        let bias = random.floats(n)
        var y = x
        engine_layer_norm(
          path.enginePath, 3, n, &y, residualIsThere ? residual : nil, gain, bias, 1e-5)
        for row in 0..<3 {
          let sums = (row * n..<(row + 1) * n).map {
            Double(residualIsThere ? x[$0] + residual[$0] : x[$0])
          }
          let mean = sums.reduce(0, +) / Double(n)
          let variance = sums.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
          for (index, sum) in sums.enumerated() {
            let expected =
              (sum - mean) / (variance + 1e-5).squareRoot() * Double(gain[index])
              + Double(bias[index])
            #expect(abs(expected - Double(y[row * n + index])) < 1e-4, "\(n) columns")
          }
        }
      }
    }
  }

  @Test(arguments: paths)
  func attentionIsThatOfPlainCode(path: KernelPath) {
    var random = Noise(seed: 5)
    for (tokens, size) in [(1, 8), (7, 5), (16, 16), (33, 20), (129, 32)] {
      let stride = 3 * size + 1
      let qkv = random.floats(tokens * stride)
      var out = [Float](repeating: 0, count: tokens * size)
      // Scratch that was used before must not show in the result.
      var scratch = random.floats(engine_attention_scratch_floats(tokens, size))
      let scale = 1 / Float(size).squareRoot()
      qkv.withUnsafeBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return }
        engine_attention(
          path.enginePath, tokens, tokens, size, scale, start, stride, start + size,
          start + 2 * size, stride, &out, size, &scratch)
      }
      for row in 0..<tokens {
        let scores = (0..<tokens).map { key in
          (0..<size).reduce(0.0) {
            $0 + Double(qkv[row * stride + $1]) * Double(qkv[key * stride + size + $1])
          } * Double(scale)
        }
        let weights = scores.map { exp($0) }
        let sum = weights.reduce(0, +)
        for column in 0..<size {
          let expected = (0..<tokens).reduce(0.0) {
            $0 + weights[$1] / sum * Double(qkv[$1 * stride + 2 * size + column])
          }
          #expect(abs(expected - Double(out[row * size + column])) < 1e-5, "\(tokens) tokens")
        }
      }
    }
  }

  @Test func everyHalfPrecisionNumberIsRead() {
    let patterns = (0...UInt16.max).map { $0 }
    var halves = [Float](repeating: 0, count: patterns.count)
    engine_convert(.float16, patterns.count, patterns, 1, &halves)
    var brains = halves
    engine_convert(.bfloat16, patterns.count, patterns, 1, &brains)
    for (index, pattern) in patterns.enumerated() {
      let sign: Double = pattern & 0x8000 == 0 ? 1 : -1
      let exponent = Int(pattern >> 10 & 0x1F)
      let fraction = Double(pattern & 0x3FF) / 1024
      let expected: Double =
        switch exponent {
        case 0: sign * fraction * pow(2, -14)
        case 31: fraction == 0 ? sign * .infinity : .nan
        default: sign * (1 + fraction) * pow(2, Double(exponent - 15))
        }
      #expect(
        Double(halves[index]) == expected || halves[index].isNaN && expected.isNaN,
        "\(pattern)")
      #expect(brains[index].bitPattern == UInt32(pattern) << 16)
    }
  }

  @Test func bytesAreScaledAndNeedNoAlignment() {
    let bytes = [UInt8](repeating: 0, count: 1) + (0...255).map { UInt8($0) }
    var floats = [Float](repeating: 0, count: 256)
    bytes.withUnsafeBytes { buffer in
      engine_convert(.int8, 256, buffer.baseAddress.map { $0 + 1 }, 0.5, &floats)
    }
    #expect(floats == (0...255).map { Float(Int8(truncatingIfNeeded: $0)) * 0.5 })
    let values = [Float](arrayLiteral: 1.5, -2.25)
    var unaligned = [UInt8](repeating: 0, count: 9)
    values.withUnsafeBytes { unaligned.replaceSubrange(1..<9, with: $0) }
    var read: [Float] = [0, 0]
    unaligned.withUnsafeBytes { buffer in
      engine_convert(.float32, 2, buffer.baseAddress.map { $0 + 1 }, 1, &read)
    }
    #expect(read == values)
  }
}

/// Repeatable numbers between -1 and 1.
struct Noise {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
  }

  mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in next() }
  }
}
