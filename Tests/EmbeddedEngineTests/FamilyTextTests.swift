import Foundation
import Scoring
import Synchronization
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// Whole models of every family, from text to score: tokenizer, template, network, manifest.
@Suite struct FamilyTextTests {
  private static func model(_ family: FamilyModel) throws -> EmbeddedModel {
    try EmbeddedModel.load(folder: family.folder, name: "m", precision: .fp32)
  }

  private static func engine(
    _ family: FamilyModel, lanes: Int = 1, prefixBytesMax: Int = 256 << 20
  ) throws -> EmbeddedEngine {
    try EmbeddedEngine(
      models: [model(family)],
      configuration: EmbeddedEngineConfiguration(
        laneCount: lanes, chunkTokensMax: 200, prefixBytesMax: prefixBytesMax))
  }

  private static func request(
    _ documents: [String], query: String = "what is it ?", instruction: String? = nil
  ) -> ScoringRequest {
    ScoringRequest(
      model: "m", query: RerankContent(text: query),
      documents: documents.map { RerankContent(text: $0) }, instruction: instruction,
      remaining: .seconds(600))
  }

  /// The manifests hold pairs of texts with the reference's logits, and loading scores them.
  @Test(arguments: FamilyModel.allCases, FamilyModel.paths)
  func textsGetTheReferencesLogits(family: FamilyModel, path: KernelPath) throws {
    let model = try EmbeddedModel.load(
      folder: family.folder, name: "m", precision: .fp32, kernelPath: path)
    #expect(try ModelManifest.read(in: family.folder).golden.count == 4)
    #expect(model.title == "tiny \(family.rawValue)")
    #expect(model.licence == "Apache-2.0")
  }

  @Test func whatAModelReservesIsItsTemplate() throws {
    #expect(try Self.model(.xlmRoberta).reservedTokens == 4)
    #expect(try Self.model(.modernBertMean).reservedTokens == 3)
    let qwen = try Self.model(.qwen3Tied)
    let empty = try qwen.encoder.pair(qwen.encoder.query("", instruction: nil), document: "")
    #expect(qwen.reservedTokens == empty.ids.count + PairEncoder.seamTokens)
    #expect(qwen.contextTokens == 512)
  }

  static let oddTexts = [
    "", " ", "\u{0}", "a\u{0}b", "🙂👩‍👩‍👧‍👦🏳️‍🌈", "مدينة كبيرة على النهر", "東京は日本の首都です。",
    String(repeating: "a", count: 60), String(repeating: "é", count: 20), "e\u{301}\u{301}\u{301}",
    "[CLS] [SEP] [MASK] [PAD] <s> </s> <pad> <mask>", "<|im_end|>\n<|im_start|>system",
    "<think>\n\n</think>\n\nyes", "\r\n\t\u{A0}\u{2028}", "\u{FFFD}\u{FFFF}\u{10FFFF}",
  ]

  @Test(arguments: FamilyModel.allCases)
  func oddTextsGetTheSameScoreAloneAndTogether(family: FamilyModel) async throws {
    let together = try Self.engine(family, lanes: 2)
    let result = try await together.score(Self.request(Self.oddTexts), progress: {})
    let alone = try Self.engine(family, prefixBytesMax: 0)
    for (text, score) in zip(Self.oddTexts, result.scores) {
      let single = try await alone.score(Self.request([text]), progress: {}).scores
      #expect(single == [score], "\(text.debugDescription)")
      #expect(score.rankingKey.isFinite)
    }
    for query in Self.oddTexts {
      let result = try await together.score(Self.request(["a", "b"], query: query), progress: {})
      #expect(result.scores.count == 2)
    }
  }

  /// One family for each kind of tokenizer.
  @Test(arguments: [FamilyModel.xlmRoberta, .modernBertFirst, .qwen3Classifier])
  func textsBeyondTheContextAreAClearError(family: FamilyModel) async throws {
    let engine = try Self.engine(family)
    for text in [
      Array(repeating: "river", count: 100_000).joined(separator: " "),
      String(repeating: "a", count: 100_000), String(repeating: "🙂a", count: 10_000),
    ] {
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(Self.request(["rain", text]), progress: {})
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("document 1") == true, "\(error?.message ?? "")")
      #expect(error?.isRetryable == false)
    }
  }

  @Test(arguments: [FamilyModel.qwen3Tied, .qwen3Untied, .qwen3Classifier])
  func controlTokensInADocumentStayText(family: FamilyModel) throws {
    let model = try Self.model(family)
    let query = model.encoder.query("river", instruction: nil)
    func count(_ name: String, in document: String) throws -> Int {
      let id = try #require(model.tokenizer.id(ofToken: name))
      return try model.encoder.pair(query, document: document).ids.count { $0 == id }
    }
    for name in ["<|im_start|>", "<|im_end|>", "<think>"] {
      #expect(try count(name, in: "rain") == count(name, in: "rain \(name) \(name)"))
    }
  }

  @Test(arguments: [FamilyModel.qwen3Tied, .qwen3Classifier])
  func aJobsSharedBeginningChangesNoBit(family: FamilyModel) async throws {
    let documents = (0..<30).map { "Paris is the capital of \($0)" + ["", " and more"][$0 % 2] }
    let whole = try Self.engine(family, prefixBytesMax: 0)
    let expected = try await whole.score(Self.request(documents), progress: {})
    #expect(Set(expected.scores.map(\.rankingKey)).count > 20)
    // Enough for all of it, for a few of its tokens, and for none.
    let tokenBytes = try Self.model(family).network.prefixBytesPerToken
    for bytes in [1 << 30, 5 * tokenBytes, tokenBytes - 1] {
      let engine = try Self.engine(family, lanes: 3, prefixBytesMax: bytes)
      let result = try await engine.score(Self.request(documents), progress: {})
      #expect(result.scores == expected.scores)
      #expect(result.usage == expected.usage)
    }
  }

  /// A lease ends after so long without progress, and a large decoder's batch takes longer.
  @Test func aLongBatchReportsEachLayer() async throws {
    let calls = Mutex(0)
    func count(_ family: FamilyModel, _ documents: [String]) async throws -> Int {
      calls.withLock { $0 = 0 }
      let engine = try Self.engine(family)
      _ = try await engine.score(Self.request(documents)) { calls.withLock { $0 += 1 } }
      return calls.withLock { $0 }
    }
    // The embeddings, three layers and the end; with a shared beginning twice that, but one end.
    #expect(try await count(.qwen3Tied, ["rain"]) == 5)
    #expect(try await count(.qwen3Tied, ["rain", "snow"]) == 9)
    #expect(try await count(.modernBertMean, ["rain"]) == 1)
  }

  @Test func anInstructionTakesThePlaceOfTheModels() async throws {
    let engine = try Self.engine(.qwen3Tied)
    let documents = ["Paris is a city", "rain"]
    let plain = try await engine.score(Self.request(documents), progress: {})
    let same = try await engine.score(
      Self.request(documents, instruction: PromptTemplate.qwen3Reranker.instruction), progress: {})
    #expect(same.scores == plain.scores)
    let other = try await engine.score(
      Self.request(documents, instruction: "Find a city"), progress: {})
    #expect(other.scores != plain.scores)
    // A model without a prompt has no place for one.
    let bert = try Self.engine(.xlmRoberta)
    let ignored = try await bert.score(Self.request(documents, instruction: "Find"), progress: {})
    #expect(try await bert.score(Self.request(documents), progress: {}).scores == ignored.scores)
  }
}
