import Foundation
import RerankdProtocol
import Scoring
import SwiftProtobuf
import Synchronization
import Testing

@testable import WorkerRole

/// What an earlier attempt scored is not scored again.
struct KnownScoresTests {
  private let request = ScoringRequest(
    model: "m", query: RerankContent(text: "q"),
    documents: ["a", "bb", "ccc", "dddd"].map { RerankContent(text: $0) })

  private func partial(
    _ scores: [Int: Float], model: String = "stub-model-v1", usage: TokenUsage? = nil
  ) -> Scoring.PartialScores {
    Scoring.PartialScores(
      scores: scores.mapValues { DocumentScore(relevanceScore: $0, rankingKey: $0) },
      scoreKind: .sigmoid, model: model, usage: usage)
  }

  private func known(_ scores: Scoring.PartialScores, engine: String = "stub", texts: Int = 4)
    -> KnownScores
  {
    KnownScores(scores.serialized(engine: engine, texts: texts), engine: "stub", texts: 4)
  }

  /// The texts that an engine was asked to score, call by call.
  private final class Asked: Sendable {
    private let calls = Mutex<[[String]]>([])
    var texts: [[String]] { calls.withLock { $0 } }

    func score(_ request: ScoringRequest) -> ScoringResult {
      calls.withLock { $0.append(request.documents.map(\.text)) }
      var result = StubEngine.scores(of: request)
      result.usage = TokenUsage(promptTokens: 10, totalTokens: 10, estimated: false)
      return result
    }
  }

  @Test func onlyWhatIsMissingIsScored() async throws {
    let asked = Asked()
    let usage = TokenUsage(promptTokens: 5, totalTokens: 6, estimated: true)
    let known = known(partial([1: 0.9, 3: 0.8], usage: usage))
    let result = try await known.complete(request) { asked.score($0) }
    #expect(asked.texts == [["a", "ccc"]])
    #expect(result.scores.map(\.relevanceScore) == [0.001, 0.9, 0.003, 0.8])
    #expect(result.usage == TokenUsage(promptTokens: 15, totalTokens: 16, estimated: true))
    #expect(result.model == "stub-model-v1" && result.precision == "fp32")
  }

  @Test func allKnownNeedsNoEngine() async throws {
    let asked = Asked()
    let known = known(partial([0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4]))
    let result = try await known.complete(request) { asked.score($0) }
    #expect(asked.texts.isEmpty)
    #expect(result.scores.map(\.relevanceScore) == [0.1, 0.2, 0.3, 0.4])
  }

  @Test func scoresOfAnotherEngineOrOfOtherTextsAreLeftAside() async throws {
    let scores = partial([1: 0.9])
    for known in [
      known(scores, engine: "other"), known(scores, texts: 5),
      KnownScores(Data([0xFF, 1, 2]), engine: "stub", texts: 4),
    ] {
      let asked = Asked()
      let result = try await known.complete(request) { asked.score($0) }
      #expect(asked.texts.map(\.count) == [4])
      #expect(result.scores.map(\.relevanceScore) == [0.001, 0.002, 0.003, 0.004])
    }
  }

  @Test func anotherModelScoresTheKnownOnesAsWell() async throws {
    let asked = Asked()
    let known = known(partial([0: 0.9, 2: 0.8], model: "stub-model-v0"))
    let result = try await known.complete(request) { asked.score($0) }
    #expect(asked.texts == [["bb", "dddd"], ["a", "ccc"]])
    #expect(result.scores.map(\.relevanceScore) == [0.001, 0.002, 0.003, 0.004])
    #expect(result.model == "stub-model-v1")
  }

  @Test func anotherFailureKeepsTheUnion() async throws {
    let known = known(partial([0: 0.9]))
    let failing = partial([1: 0.5])
    do {
      _ = try await known.complete(request) { _ in
        throw EngineError(
          code: .unavailable, message: "503", isRetryable: true, partialScores: failing)
      }
      Issue.record("no error")
    } catch let error as EngineError {
      // The engine's second document is the job's third.
      #expect(error.partialScores?.scores.mapValues(\.relevanceScore) == [0: 0.9, 2: 0.5])
    }
    do {
      _ = try await known.complete(request) { _ in
        throw EngineError(code: .unavailable, message: "503", isRetryable: true)
      }
      Issue.record("no error")
    } catch let error as EngineError {
      #expect(error.partialScores?.scores.keys.sorted() == [0])
    }
  }

  @Test func failuresOfSingleDocumentsKeepTheirPlaces() async throws {
    let known = known(partial([0: 0.9]))
    let result = try await known.complete(request) { request in
      var result = StubEngine.scores(of: request)
      result.scores.remove(at: 1)
      result.failures = [
        DocumentFailure(
          index: 1,
          error: EngineError(code: .internal, message: "poison", isRetryable: false))
      ]
      return result
    }
    #expect(result.failures.map(\.index) == [2])
    #expect(result.scores.map(\.relevanceScore) == [0.9, 0.002, 0.004])
  }

  @Test func wrongNumberOfScoresIsTheEnginesFault() async {
    let known = known(partial([0: 0.9]))
    await #expect(throws: EngineError.self) {
      _ = try await known.complete(request) { _ in
        var other = request
        other.documents.removeLast(2)
        return StubEngine.scores(of: other)
      }
    }
  }
}
