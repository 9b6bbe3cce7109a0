import CEngineKernels
import Foundation
import Testing

@testable import EmbeddedEngine

/// The kernels of models with rotary positions against plain code, on every path, over odd sizes.
@Suite struct RotaryKernelTests {
  static let paths = KernelPath.allCases.filter(\.isSupported)

  /// Values of both signs, the same for the same seed.
  private static func values(_ count: Int, seed: Int) -> [Float] {
    (0..<count).map { Float(($0 * 7919 + seed * 104_729) % 2003) / 500 - 2 }
  }

  private static func distance(_ a: [Float], _ b: [Float]) -> Float {
    a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
  }

  @Test(arguments: paths, [1, 15, 16, 17, 33, 128])
  func rmsNormIsPlainCodes(path: KernelPath, columns: Int) {
    let (rows, stride) = (3, columns + 5)
    let x = Self.values(rows * stride, seed: 1)
    let gain = Self.values(columns, seed: 2)
    var out = [Float](repeating: 9, count: rows * stride)
    engine_rms_norm(
      path.enginePath, rows, columns, x, stride, gain, 1e-3, &out, stride)
    var expected = [Float](repeating: 9, count: rows * stride)
    for row in 0..<rows {
      let squares = (0..<columns).reduce(0.0) { $0 + pow(Double(x[row * stride + $1]), 2) }
      let inverse = 1 / (squares / Double(columns) + 1e-3).squareRoot()
      for i in 0..<columns {
        expected[row * stride + i] = Float(Double(x[row * stride + i]) * inverse) * gain[i]
      }
    }
    #expect(Self.distance(out, expected) < 1e-5)
  }

  @Test(arguments: paths, [2, 12, 16, 34, 64, 128])
  func rotationIsPlainCodes(path: KernelPath, headSize: Int) {
    let (rows, heads, half) = (4, 3, headSize / 2)
    let stride = heads * headSize + 7
    let x = Self.values(rows * stride, seed: 3)
    let angles = Self.values(rows * half, seed: 4)
    var turned = x
    engine_rotate(
      path.enginePath, rows, heads, headSize, angles.map { cos($0) }, angles.map { sin($0) },
      &turned, stride)
    var expected = x
    for row in 0..<rows {
      for head in 0..<heads {
        for i in 0..<half {
          let first = row * stride + head * headSize + i
          let angle = angles[row * half + i]
          expected[first] = x[first] * cos(angle) - x[first + half] * sin(angle)
          expected[first + half] = x[first + half] * cos(angle) + x[first] * sin(angle)
        }
      }
    }
    #expect(Self.distance(turned, expected) < 1e-5)
  }

  /// Sizes of one attention, and what its rows see.
  struct Case: CustomTestStringConvertible, Sendable {
    var tokens: Int
    var shared: Int
    var heads: Int
    var headSize: Int
    var before: Int
    var after: Int

    var testDescription: String {
      "\(tokens) tokens, \(shared) shared, \(heads)×\(headSize), −\(before)…+\(after)"
    }
  }

  static let cases = [
    Case(tokens: 1, shared: 0, heads: 1, headSize: 16, before: .max, after: 0),
    Case(tokens: 40, shared: 0, heads: 2, headSize: 24, before: .max, after: 0),
    Case(tokens: 40, shared: 17, heads: 2, headSize: 24, before: .max, after: 0),
    Case(tokens: 60, shared: 33, heads: 3, headSize: 32, before: .max, after: 0),
    // More rows than a block has.
    Case(tokens: 110, shared: 5, heads: 1, headSize: 16, before: .max, after: 0),
    Case(tokens: 110, shared: 0, heads: 1, headSize: 20, before: 5, after: 5),
    Case(tokens: 37, shared: 0, heads: 1, headSize: 16, before: 0, after: 0),
    Case(tokens: 37, shared: 0, heads: 1, headSize: 16, before: 64, after: 64),
    Case(tokens: 37, shared: 0, heads: 1, headSize: 16, before: .max, after: .max),
  ]

  private struct Attention {
    let shape: Case
    let q: [Float]
    let k: [Float]
    let v: [Float]
    let scale: Float = 0.3

    init(_ shape: Case) {
      self.shape = shape
      q = values(shape.tokens * shape.heads * shape.headSize, seed: 5)
      k = values(shape.tokens * shape.headSize, seed: 6)
      v = values(shape.tokens * shape.headSize, seed: 7)
    }

    /// The rows from a position on, the positions before `split` lying elsewhere.
    func run(_ path: KernelPath, from first: Int, split: Int) -> [Float] {
      let width = shape.heads * shape.headSize
      let rows = shape.tokens - first
      var out = [Float](repeating: .nan, count: rows * width)
      // Whatever lies in the scratch must not matter.
      var scratch = [Float](
        repeating: .nan,
        count: engine_span_attention_scratch_floats(shape.tokens, shape.headSize))
      k.withUnsafeBufferPointer { k in
        v.withUnsafeBufferPointer { v in
          func part(_ from: Int, _ count: Int) -> engine_key_rows {
            engine_key_rows(
              keys: k.baseAddress.map { $0 + from * shape.headSize },
              values: v.baseAddress.map { $0 + from * shape.headSize }, count: count,
              stride: shape.headSize)
          }
          engine_span_attention(
            path.enginePath, rows, first, shape.heads, shape.headSize,
            engine_span(before: shape.before, after: shape.after), scale,
            Array(q[(first * width)...]), width, part(0, split),
            part(split, shape.tokens - split), &out, width, &scratch)
        }
      }
      return out
    }

    func plain() -> [Float] {
      var out: [Float] = []
      for position in 0..<shape.tokens {
        let from = position - min(position, shape.before)
        let to = position + min(shape.tokens - 1 - position, shape.after)
        for head in 0..<shape.heads {
          let query = (position * shape.heads + head) * shape.headSize
          let scores = (from...to).map { key in
            (0..<shape.headSize).reduce(0.0) {
              $0 + Double(q[query + $1]) * Double(k[key * shape.headSize + $1])
            } * Double(scale)
          }
          let most = scores.max() ?? 0
          let powers = scores.map { exp($0 - most) }
          let sum = powers.reduce(0, +)
          for column in 0..<shape.headSize {
            out.append(
              Float(
                zip(from...to, powers).reduce(0.0) {
                  $0 + $1.1 / sum * Double(v[$1.0 * shape.headSize + column])
                }))
          }
        }
      }
      return out
    }
  }

  @Test(arguments: paths, cases)
  func spanAttentionIsPlainCodes(path: KernelPath, shape: Case) {
    let attention = Attention(shape)
    let out = attention.run(path, from: 0, split: shape.shared)
    #expect(Self.distance(out, attention.plain()) < 2e-5)
  }

  @Test(arguments: paths, cases)
  func rowsGetTheSameBitsWhereverTheirBlockBegins(path: KernelPath, shape: Case) {
    let attention = Attention(shape)
    let whole = attention.run(path, from: 0, split: 0)
    let width = shape.heads * shape.headSize
    for first in Set([0, shape.shared, shape.tokens / 2, shape.tokens - 1]) {
      let part = attention.run(path, from: first, split: min(first, shape.shared))
      #expect(part == Array(whole[(first * width)...]), "from \(first)")
    }
  }

  @Test(arguments: paths, [1, 16, 21, 48])
  func gatedActivationsArePlainCodes(path: KernelPath, columns: Int) {
    let rows = 3
    let x = Self.values(rows * 2 * columns, seed: 8).map { $0 * 3 }
    let plain: [(engine_gate, (Double) -> Double)] = [
      (.gelu, { $0 * 0.5 * erfc(-$0 / 2.0.squareRoot()) }),
      (
        .geluTanh,
        { $0 * 0.5 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
      ),
      (.relu, { max($0, 0) }),
      (.silu, { $0 / (1 + exp(-$0)) }),
    ]
    for (gate, function) in plain {
      var out = [Float](repeating: .nan, count: rows * columns)
      engine_gated(path.enginePath, gate, rows, columns, x, &out)
      let expected = (0..<rows * columns).map { index in
        let first = index / columns * 2 * columns + index % columns
        return Float(function(Double(x[first])) * Double(x[first + columns]))
      }
      #expect(Self.distance(out, expected) < 1e-5)
    }
  }

  @Test(arguments: paths)
  func whatIsNoNumberStaysSo(path: KernelPath) {
    var out: [Float] = [0, 0]
    engine_gated(path.enginePath, .silu, 1, 2, [.nan, 1, 1, .nan], &out)
    #expect(out.allSatisfy { $0.isNaN })
    engine_rms_norm(path.enginePath, 1, 2, [.nan, 1], 2, [1, 1], 0, &out, 2)
    #expect(out.allSatisfy { $0.isNaN })
    engine_gated(path.enginePath, .silu, 1, 2, [-200, 200, 1, 1], &out)
    #expect(abs(out[0]) < 1e-30)
    #expect(out[1] == 200)
  }
}
