import Foundation
import Scoring
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// The model inside the binary.
@Suite struct BuiltInModelTests {
  static let paths = KernelPath.allCases.filter(\.isSupported)

  @Test(arguments: paths, [PrecisionSetting.fp32, .bf16, .w8a16, .int8])
  func goldenPairsGetTheManifestsLogits(path: KernelPath, precision: PrecisionSetting) throws {
    // Loading scores them, within `goldenTolerance`.
    let model = try EmbeddedModel.builtIn(precision: precision, kernelPath: path)
    #expect(model.name == "builtin")
    #expect(model.contextTokens == EmbeddedModel.builtInContextTokens)
    #expect(model.reservedTokens == EmbeddedModel.builtInReservedTokens)
    #expect(model.network.precision.rawValue == precision.rawValue)
    #expect(try BuiltInModelFile.embedded().manifest.golden.count == 4)
  }

  /// Of PyTorch and NumPy, by the scripts beside the weights.
  struct Golden: Decodable {
    var query: String
    var document: String
    var logit: Float

    static func read() throws -> [Golden] {
      let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/built-in/golden.json")
      return try JSONDecoder().decode([Golden].self, from: Data(contentsOf: url))
    }
  }

  private func goldenError(
    of model: EmbeddedModel, _ network: BertNetwork, _ golden: [Golden]
  ) throws -> Float {
    var largest: Float = 0
    for pair in golden {
      var batch = TokenBatch()
      let query = model.encoder.query(pair.query, instruction: nil)
      let encoded = try model.encoder.pair(query, document: pair.document)
      batch.appendPair { $0.append(encoded) }
      let scratch = FloatBuffer(count: network.scratchFloats(for: batch))
      largest = max(largest, abs(network.logits(of: batch, scratch: scratch)[0] - pair.logit))
    }
    return largest
  }

  @Test(arguments: paths)
  func fullPrecisionMeetsTheReference(path: KernelPath) throws {
    let model = try EmbeddedModel.builtIn(precision: .fp32, kernelPath: path)
    let golden = try Golden.read()
    #expect(golden.count == 12)
    let network = try #require(model.network as? BertNetwork)
    #expect(try goldenError(of: model, network, golden) <= 1e-4)
  }

  /// What the goldens must see: each makes the network wrong in one place.
  enum Mutation: String, CaseIterable {
    case noWindow, noMaxSimilarity, noLexicalMatch, noBias, oneWindowOnly, longerWindow
    case smallerStep, noTermWeights, otherSaturation, noLengthShare, noWeightFloor, oneSequence

    func apply(to network: inout BertNetwork) {
      func zeroed(_ buffer: FloatBuffer, at index: Int? = nil) -> FloatBuffer {
        let changed = FloatBuffer(count: buffer.count)
        changed.start.update(from: buffer.start, count: buffer.count)
        for place in 0..<buffer.count where index == nil || index == place {
          changed.start[place] = 0
        }
        return changed
      }
      network.weights.changeSegments { head in
        switch self {
        case .noWindow: head.featureWeights = zeroed(head.featureWeights, at: 0)
        case .noMaxSimilarity: head.featureWeights = zeroed(head.featureWeights, at: 1)
        case .noLexicalMatch: head.featureWeights = zeroed(head.featureWeights, at: 2)
        case .noBias: head.bias = zeroed(head.bias)
        case .oneWindowOnly: head.configuration.windowTokens = 512
        case .longerWindow: head.configuration.windowTokens += 1
        case .smallerStep: head.configuration.windowStep -= 1
        case .noTermWeights: head.termWeights = zeroed(head.termWeights)
        case .otherSaturation: head.configuration.lexical.saturation += 0.1
        case .noLengthShare: head.configuration.lexical.lengthShare = 0
        case .noWeightFloor: head.configuration.lexical.weightFloor = 0
        case .oneSequence: break
        }
      }
      if self == .oneSequence { network.configuration.segments = nil }
    }
  }

  @Test(arguments: Mutation.allCases)
  func aMutationFailsTheGoldens(mutation: Mutation) throws {
    let model = try EmbeddedModel.builtIn(precision: .fp32)
    var network = try #require(model.network as? BertNetwork)
    mutation.apply(to: &network)
    #expect(try goldenError(of: model, network, Golden.read()) > 2e-4)
  }

  /// A job's query is computed once, and each pair reads it.
  @Test(arguments: paths, [PrecisionSetting.fp32, .bf16, .w8a16, .int8])
  func aSharedQueryChangesNoBit(path: KernelPath, precision: PrecisionSetting) throws {
    let model = try EmbeddedModel.builtIn(precision: precision, kernelPath: path)
    let query = model.encoder.query("how do bees make honey", instruction: nil)
    let pairs = try [
      "Bees make honey from nectar.", "", "honey",
      String(repeating: "the hive is warm. ", count: 30),
    ].map { try model.encoder.pair(query, document: $0) }
    let tokens = Array(pairs[0].querySegment)
    #expect(pairs.allSatisfy { $0.querySegment == tokens[...] })
    #expect(tokens.count == query.ids.count + 2)
    let network = model.network
    let prefix = try #require(
      network.prefix(
        of: tokens,
        scratch: FloatBuffer(
          count: network.scratchFloats(tokens: tokens.count, longest: tokens.count)),
        progress: {}))
    func logits(_ pairs: [EncodedPair], after prefix: SharedPrefix?) -> [Float] {
      var batch = TokenBatch()
      for pair in pairs { batch.appendPair(after: prefix) { $0.append(pair) } }
      return network.logits(
        of: batch, scratch: FloatBuffer(count: network.scratchFloats(for: batch)))
    }
    let alone = pairs.map { logits([$0], after: nil)[0] }
    #expect(Set(alone).count == pairs.count)
    #expect(logits(pairs, after: prefix) == alone)
    #expect(logits(pairs.reversed(), after: prefix) == alone.reversed())
    let bytes = prefix.layers.reduce(0) { $0 + $1.count * 4 }
    #expect(bytes <= tokens.count * network.prefixBytesPerToken)
  }

  @Test func aQueryIsSharedWholeOrNotAtAll() throws {
    let model = try EmbeddedModel.builtIn()
    let tokens: [Int32] = [101, 2129, 2079, 102]
    let bytes = tokens.count * model.network.prefixBytesPerToken
    func isShared(bytesMax: Int) -> Bool {
      PrefixCache(bytesMax: bytesMax).prefix(ofPairsBeginningWith: tokens, model: model) {
        FloatBuffer(count: $0)
      } != nil
    }
    #expect(isShared(bytesMax: bytes))
    #expect(!isShared(bytesMax: bytes - 1))
  }

  @Test func theAnswerRanksFirst() async throws {
    let engine = try EmbeddedEngine(models: [.builtIn()])
    let documents = [
      "Berlin is the capital of Germany.", "The Eiffel Tower was built in 1889.",
      "Paris is the capital of France.", "Cheese is made from milk.",
    ]
    let result = try await engine.score(
      ScoringRequest(
        model: "builtin", query: RerankContent(text: "What is the capital of France?"),
        documents: documents.map { RerankContent(text: $0) }), progress: {})
    let best = result.scores.indices.max {
      result.scores[$0].rankingKey < result.scores[$1].rankingKey
    }
    #expect(best == 2)
    #expect(result.scores[2].relevanceScore > 0.5)
    #expect(result.scores[3].relevanceScore < 0.1)
    #expect(result.scoreKind == .sigmoid)
    #expect(result.precision == PrecisionSetting.auto.resolved(path: .best).rawValue)
  }

  @Test func aWrongLogitFailsToLoad() throws {
    let bytes = try damaged { bytes in
      let logit = try #require(bytes.prefix(10_000).firstRange(of: Array("\"logit\": ".utf8)))
      let digit = try #require(
        bytes[logit.upperBound...].firstIndex {
          (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        })
      bytes[digit] = bytes[digit] == UInt8(ascii: "9") ? UInt8(ascii: "8") : bytes[digit] + 1
    }
    let error = try #require(try loadingError(bytes))
    #expect(error.code == .goldenMismatch)
    #expect(error.message.contains("how do bees make honey"))
  }

  @Test func aDamagedWeightFailsToLoad() throws {
    let tensor = try #require(
      try BuiltInModelFile.embedded().tensors["bert.encoder.layer.2.output.dense.weight"])
    let bytes = try damaged { bytes in
      for offset in 0..<tensor.byteCount / 2 { bytes[tensor.offset + offset] = 3 }
    }
    #expect(try loadingError(bytes)?.code == .goldenMismatch)
  }

  @Test func aFileThatContradictsItselfIsAnError() throws {
    let start = Array(BuiltInModelFile.embeddedBytes.prefix(40_000))
    for (bytes, expected) in [
      ([], "does not begin with RRKMODEL"),
      (Array(start.prefix(12)), "does not begin with RRKMODEL"),
      (Array("RRKMODEX".utf8) + start[8...], "does not begin with RRKMODEL"),
      (start.prefix(8) + [9, 0, 0, 0] + start[12...], "has version 9"),
      (Array(start.prefix(100)), "is cut short in its manifest"),
      (start, "is not wholly in it"),
      (
        start.prefix(16) + Array(repeating: UInt8(ascii: "x"), count: 39_984),
        "has a manifest that cannot be understood"
      ),
    ] as [([UInt8], String)] {
      let error = bytes.withUnsafeBytes { memory in
        #expect(throws: EmbeddedEngineError.self) {
          try BuiltInModelFile(permanent: memory, label: "the file")
        }
      }
      #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }
  }

  private func damaged(_ change: (inout [UInt8]) throws -> Void) throws -> [UInt8] {
    var bytes = Array(BuiltInModelFile.embeddedBytes)
    try change(&bytes)
    return bytes
  }

  private func loadingError(_ bytes: [UInt8]) throws -> EmbeddedEngineError? {
    bytes.withUnsafeBytes { memory in
      #expect(throws: EmbeddedEngineError.self) {
        try EmbeddedModel.load(
          BuiltInModelFile(permanent: memory, label: "the file"), name: "m",
          precision: .auto, kernelPath: nil)
      }
    }
  }
}
