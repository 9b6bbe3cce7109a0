import Foundation
import Testing

@testable import EmbeddedEngine

/// The families in bfloat16, in 8 bits and in both, on every path.
@Suite struct FamilyPrecisionTests {
  /// How it is computed.
  struct Way: CustomTestStringConvertible, Sendable {
    var path: KernelPath
    var precision: PrecisionSetting

    var testDescription: String { "\(path.rawValue), \(precision.rawValue)" }
  }

  static let ways = FamilyModel.paths.flatMap { path in
    [PrecisionSetting.bf16, .w8a16, .int8].map { Way(path: path, precision: $0) }
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

  /// Tiny layers with weights larger than trained ones' make rounding large; real models are held
  /// to far less. What this sees is a scale, a bias or a layer that went missing.
  @Test(arguments: FamilyModel.allCases, ways)
  func logitsFollowTheReferences(model: FamilyModel, way: Way) throws {
    let golden = try model.golden()
    let logits = try model.network(way.path, way.precision).logits(ofSequences: golden.map(\.ids))
    let expected = golden.map(\.logit)
    let correlation = Self.correlation(logits, expected)
    #expect(correlation > Self.correlationMin(way.precision), "\(correlation)")
  }

  private static func correlationMin(_ precision: PrecisionSetting) -> Float {
    switch precision {
    case .bf16: 0.999
    case .w8a16: 0.99
    default: 0.98
    }
  }

  /// What `auto` takes for a decoder. Over 2,000 of these pairs its largest drift is 12 to 19% of
  /// the logits' standard deviation, where bf16's is 4 to 6%: weights of a few normal numbers a row
  /// keep less in 8 bits than a trained model's long rows. The order hardly changes.
  @Test(arguments: [FamilyModel.qwen3Tied, .qwen3Untied, .qwen3Classifier])
  func decodersInEightBitWeightsKeepTheirOrder(model: FamilyModel) throws {
    var random = Noise(seed: 21)
    let sequences = (0..<200).map { _ in
      (0..<8 + Int(abs(random.next()) * 112)).map { _ in Int32(abs(random.next()) * 250) }
    }
    let reference = try model.network(.best, .fp32)
    let rounded = try model.network(.best, .w8a16)
    let drift = Drift(
      of: sequences.map { rounded.logits(ofSequences: [$0])[0] },
      from: sequences.map { reference.logits(ofSequences: [$0])[0] })
    #expect(drift.correlation >= 0.999, "\(drift)")
    #expect(drift.largest <= 0.25 * drift.deviation, "\(drift)")
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
