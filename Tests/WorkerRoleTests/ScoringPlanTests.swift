import RerankdProtocol
import Scoring
import Testing

@testable import WorkerRole

/// A pair of the stub's model has room for 20 words; the query takes one, so a document of more
/// than 19 is split.
struct ScoringPlanTests {
  @Test func documentHasTheScoreOfItsBestWindow() throws {
    let plan = try plan(["a", words(40), "b"], windows)
    #expect(plan.passages.map(\.document) == [0, 1, 1, 1, 2])
    let result = try result(plan, [0.3, 0.1, 0.9, 0.2, 0.5])
    #expect(result.results.map(\.index) == [1, 2, 0])
    #expect(result.results.map(\.relevanceScore) == [0.9, 0.5, 0.3])
    let windowed = try #require(result.windowedDocuments.first)
    #expect(result.windowedDocuments.count == 1)
    #expect(windowed.index == 1)
    #expect(windowed.windows == 3)
    #expect(windowed.bestWindow == 1)
    let text = plan.request.documents[2].text
    #expect(windowed.bestStartByte == 15 * 2 - 1)
    #expect(Int(windowed.bestEndByte - windowed.bestStartByte) == text.utf8.count)
  }

  @Test func bestIsByTheRankingKeyAndTheFirstOfEqualOnes() throws {
    let plan = try plan([words(40)], windows)
    let result = try plan.result(
      of: ScoringResult(
        scores: [
          .init(relevanceScore: 1, rankingKey: 20), .init(relevanceScore: 1, rankingKey: 30),
          .init(relevanceScore: 1, rankingKey: 30),
        ], usage: nil, model: "m", scoreKind: .sigmoid, precision: nil),
      model: .stub, engine: "stub")
    #expect(result.windowedDocuments.map(\.bestWindow) == [1])
  }

  @Test func usageCountsEveryWindow() throws {
    let plan = try plan(["a", words(40)], windows)
    let result = try result(plan, [0, 0, 0, 0])
    let texts = plan.request.documents.map { WordCounter().count($0.text) }
    #expect(texts == [1, 19, 19, 10])
    #expect(result.usage.totalTokens == UInt64(4 * 6 + texts.reduce(0, +)))
  }

  @Test func maxTokensPerDocShortensAndIsNamed() throws {
    let plan = try plan(["a", words(40)]) { $0.maxTokensPerDoc = 3 }
    #expect(plan.request.documents.map(\.text) == ["a", words(3)])
    #expect(try result(plan, [0, 0]).truncatedDocuments == [1])
  }

  @Test func failuresAreIsolatedOnlyWhereTheJobAsksForIt() throws {
    #expect(try !plan(["a"]).request.isolatesFailures)
    #expect(try plan(["a"], perDocument).request.isolatesFailures)
  }

  @Test func enginesFailuresAreMappedBackToTheJobsDocuments() throws {
    // Document 1 is too long and 3 empty, so the engine sees 0, 2 and 4.
    let plan = try plan(["a", words(40), "bb", "", "ccc"], perDocument)
    let result = try result(plan, [0.2, 0.7], failing: [1: "the backend fails on it"])
    #expect(result.results.map(\.index) == [4, 0])
    #expect(result.failedDocuments.map(\.index) == [1, 2, 3])
    #expect(result.failedDocuments.map(\.code) == [3, 13, 3])
    #expect(result.failedDocuments[1].message == "the backend fails on it")
  }

  @Test func documentWithAWindowThatFailedHasNoScore() throws {
    let plan = try plan([words(40), "a"]) {
      $0.overBudget = .windows
      $0.documentFailure = .perDocument
    }
    let result = try result(plan, [0.9, 0.8, 0.1], failing: [1: "the backend fails on it"])
    #expect(result.results.map(\.index) == [1])
    #expect(result.windowedDocuments.isEmpty)
    #expect(
      result.failedDocuments.map(\.message) == ["window 1 of 3: the backend fails on it"])
  }

  @Test func jobWhoseDocumentsAllFailedHasAnEmptyRanking() throws {
    let plan = try plan(["a", "b"], perDocument)
    let result = try result(plan, [], failing: [0: "no", 1: "no"])
    #expect(result.results.isEmpty)
    #expect(result.failedDocuments.map(\.index) == [0, 1])
  }

  @Test(arguments: [[0.1, .nan, 0.9], [.nan, 0.1, 0.2], [0.1, 0.2, -.infinity]])
  func windowWithoutANumberIsTheEnginesFault(scores: [Float]) throws {
    let plan = try plan([words(40)], windows)
    let error = #expect(throws: EngineError.self) { try result(plan, scores) }
    #expect(error?.code == .internal)
  }

  @Test(arguments: [
    ([0.1], [:]), ([0.1, 0.2, 0.3], [:]), ([0.1], [2: "x"]), ([0.1, 0.2], [0: "x"]),
  ])
  func oneScoreOrFailureAPassageIsNeeded(scores: [Float], failures: [Int: String]) throws {
    let plan = try plan(["a", "b"], perDocument)
    let error = #expect(throws: EngineError.self) { try result(plan, scores, failing: failures) }
    #expect(error?.code == .internal)
  }

  // MARK: -

  private func words(_ count: Int) -> String {
    Array(repeating: "w", count: count).joined(separator: " ")
  }

  private let windows: (inout RerankRequest) -> Void = { $0.overBudget = .windows }
  private let perDocument: (inout RerankRequest) -> Void = { $0.documentFailure = .perDocument }

  private func plan(
    _ documents: [String], _ change: (inout RerankRequest) -> Void = { _ in }
  ) throws -> ScoringPlan {
    var job = RerankRequest()
    change(&job)
    return try ScoringPlan(
      job,
      scoring: ScoringRequest(
        model: "m", query: RerankContent(text: "query"),
        documents: documents.map { RerankContent(text: $0) }),
      model: .stub, counter: WordCounter(), windowLimits: WindowLimits())
  }

  private func result(
    _ plan: ScoringPlan, _ scores: [Float], failing failures: [Int: String] = [:]
  ) throws -> RerankResult {
    var scored = ScoringResult(
      scores: scores.map { DocumentScore(relevanceScore: $0, rankingKey: $0) }, usage: nil,
      model: "m", scoreKind: .sigmoid, precision: nil)
    scored.failures = failures.sorted { $0.key < $1.key }.map { index, message in
      DocumentFailure(
        index: index,
        error: EngineError(code: .internal, message: message, isRetryable: false))
    }
    return try plan.result(of: scored, model: .stub, engine: "stub")
  }
}
