import Foundation
import Testing

@testable import EmbeddedEngine

/// The families in bfloat16 and 8 bits, on every path.
@Suite struct FamilyPrecisionTests {
  /// How it is computed.
  struct Way: CustomTestStringConvertible, Sendable {
    var path: KernelPath
    var precision: PrecisionSetting

    var testDescription: String { "\(path.rawValue), \(precision.rawValue)" }
  }

  static let ways = FamilyModel.paths.flatMap { path in
    [PrecisionSetting.bf16, .int8].map { Way(path: path, precision: $0) }
  }

  @Test(arguments: FamilyModel.allCases, ways)
  func batchedEqualsSingleBitForBit(model: FamilyModel, way: Way) throws {
    let network = try model.network(way.path, way.precision)
    #expect(network.precision.rawValue == way.precision.rawValue)
    let sequences = try model.golden().map(\.ids)
    let single = sequences.map { network.logits(ofSequences: [$0])[0] }
    #expect(network.logits(ofSequences: sequences) == single)
    #expect(network.logits(ofSequences: sequences.reversed()) == single.reversed())
  }

  @Test(arguments: [FamilyModel.qwen3Tied, .qwen3Untied, .qwen3Classifier], ways)
  func aSharedPrefixChangesNoBit(model: FamilyModel, way: Way) throws {
    let network = try model.network(way.path, way.precision)
    let beginning = (0..<37).map { Int32($0 * 5 % 200) }
    let sequences = [beginning + [7, 8, 9], beginning + (0..<120).map { Int32($0 * 3 % 250) }]
    let alone = network.logits(ofSequences: sequences)
    for count in [1, 17, 37] {
      let scratch = FloatBuffer(count: network.scratchFloats(tokens: count, longest: count))
      let prefix = try #require(
        network.prefix(of: Array(beginning[..<count]), scratch: scratch, progress: {}))
      #expect(network.logits(ofSequences: sequences, after: prefix) == alone, "\(count) shared")
    }
  }

  /// Tiny layers with weights larger than trained ones' make rounding large; real models are held to
  /// far less. What this sees is a scale, a bias or a layer that went missing.
  @Test(arguments: FamilyModel.allCases, ways)
  func logitsFollowTheReferences(model: FamilyModel, way: Way) throws {
    let golden = try model.golden()
    let logits = try model.network(way.path, way.precision).logits(ofSequences: golden.map(\.ids))
    let expected = golden.map(\.logit)
    let correlation = Self.correlation(logits, expected)
    #expect(correlation > (way.precision == .bf16 ? 0.999 : 0.98), "\(correlation)")
  }

  private static func correlation(_ a: [Float], _ b: [Float]) -> Float {
    let meanA = a.reduce(0, +) / Float(a.count)
    let meanB = b.reduce(0, +) / Float(b.count)
    func product(_ x: [Float], _ meanX: Float, _ y: [Float], _ meanY: Float) -> Float {
      zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
    }
    let spread = product(a, meanA, a, meanA) * product(b, meanB, b, meanB)
    return product(a, meanA, b, meanB) / spread.squareRoot()
  }
}
