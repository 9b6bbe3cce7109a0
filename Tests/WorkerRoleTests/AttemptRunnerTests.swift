import Foundation
import RerankdProtocol
import Scoring
import SwiftProtobuf
import Testing

@testable import WorkerRole

struct AttemptRunnerTests {
  // MARK: Results

  @Test func documentsAreRankedBestFirstWithAllThatIsKnown() async throws {
    let engine = StubEngine()
    let result = try await completed(engine, request(["bb", "dddd", "a"]))
    #expect(result.results.map(\.index) == [1, 0, 2])
    #expect(result.results.map(\.relevanceScore) == [0.004, 0.002, 0.001])
    #expect(result.model == "stub-model-v1")
    #expect(result.engine == "stub")
    #expect(result.scoreKind == "sigmoid")
    #expect(result.precision == "fp32")
    #expect(result.truncatedDocuments.isEmpty)
    #expect(result.failedDocuments.isEmpty)
  }

  @Test func tiesGoByIndexAndTopNCuts() async throws {
    var request = request(["aa", "b", "cc", "dd"])
    request.topN = 2
    let result = try await completed(StubEngine(), request)
    #expect(result.results.map(\.index) == [0, 2])
  }

  @Test func orderIsByTheRankingKeyWhereScoresSaturate() async throws {
    let engine = StubEngine { request, _ in
      ScoringResult(
        scores: [
          .init(relevanceScore: 1, rankingKey: 20), .init(relevanceScore: 1, rankingKey: 30),
        ],
        usage: nil, model: "m", scoreKind: .sigmoid, precision: nil)
    }
    let result = try await completed(engine, request(["a", "b"]))
    #expect(result.results.map(\.index) == [1, 0])
  }

  @Test func usageIsCountedHereWhereTheEngineWasNotTold() async throws {
    let result = try await completed(StubEngine(), request(["one two", "three"]))
    // Each pair has the prompt's 5 tokens, the query's 1 and the document's own.
    #expect(result.usage.totalTokens == 5 + 1 + 2 + 5 + 1 + 1)
    #expect(!result.usage.estimated)
  }

  @Test func usageOfTheEngineIsPassedOn() async throws {
    let engine = StubEngine { request, _ in
      var result = StubEngine.scores(of: request)
      result.usage = TokenUsage(promptTokens: 40, totalTokens: 42, estimated: false)
      return result
    }
    let result = try await completed(engine, request(["a"]))
    #expect(result.usage.promptTokens == 40)
    #expect(result.usage.totalTokens == 42)
  }

  @Test func requestIsPassedOnWithWhatTravelsWithIt() async throws {
    let engine = StubEngine()
    var request = request(["a"])
    request.instruction = "judge well"
    _ = try await completed(engine, request)
    let scored = try #require(engine.requests.first)
    #expect(scored.instruction == "judge well")
    #expect(scored.jobID == "0-7")
    #expect(scored.traceparent == "00-trace")
    #expect(scored.remaining <= .milliseconds(60_000))
    #expect(scored.remaining > .milliseconds(50_000))
  }

  // MARK: The budget

  @Test func pairOverTheBudgetIsRefusedBeforeTheEngineIsCalled() async {
    let engine = StubEngine()
    let failure = await failed(engine, request(["short", words(20), words(30)]))
    #expect(failure?.status.code == StatusCode.invalidArgument.rawValue)
    #expect(failure?.retryable == false)
    let message = failure?.status.message ?? ""
    #expect(message.contains("document 1") && message.contains("26 tokens"))
    #expect(message.contains("document 2") && message.contains("36 tokens"))
    #expect(!message.contains("document 0"))
    #expect(engine.requests.isEmpty)
  }

  @Test func pairAtTheBudgetIsScored() async throws {
    let result = try await completed(StubEngine(), request([words(19)]))
    #expect(result.results.count == 1)
  }

  @Test func truncationShortensTheDocumentAndSaysSo() async throws {
    let engine = StubEngine()
    var request = request(["short", words(30)])
    request.overBudget = .truncate
    let result = try await completed(engine, request)
    #expect(result.truncatedDocuments == [1])
    #expect(engine.requests.first?.documents[1].text == words(19))
  }

  @Test func longDocumentIsScoredInWindowsAndHasItsBestOnes() async throws {
    let engine = StubEngine()
    var request = request(["short", words(30) + " a_long_word_at_the_end"])
    request.overBudget = .windows
    let result = try await completed(engine, request)
    #expect(engine.requests.first?.documents.map(\.text.utf8.count) == [5, 37, 53])
    #expect(result.results.map(\.index) == [1, 0])
    #expect(result.results.map(\.relevanceScore) == [0.053, 0.005])
    #expect(result.windowedDocuments.map(\.windows) == [2])
    #expect(result.windowedDocuments.map(\.bestWindow) == [1])
    #expect(result.windowedDocuments.map(\.bestEndByte) == [82])
  }

  @Test func windowLimitsAreTheWorkers() async throws {
    var request = request([words(60)])
    request.overBudget = .windows
    let failure = await failed(StubEngine(), request) { $0.windowLimits.windowsMax = 2 }
    #expect(failure?.status.message.contains("more than 2 windows") == true)
  }

  @Test func documentThatTheEngineCannotScoreFailsAloneWhereTheJobAsksForIt() async throws {
    let engine = StubEngine { request, _ in
      #expect(request.isolatesFailures)
      var result = StubEngine.scores(of: request)
      result.scores.remove(at: 1)
      result.failures = [
        DocumentFailure(
          index: 1,
          error: EngineError(code: .unavailable, message: "500 for it", isRetryable: true))
      ]
      return result
    }
    var request = request(["", "bb", "poison", "dddd"])
    request.documentFailure = .perDocument
    let result = try await completed(engine, request)
    #expect(result.results.map(\.index) == [3, 1])
    #expect(result.failedDocuments.map(\.index) == [0, 2])
    #expect(result.failedDocuments.map(\.code) == [3, 14])
  }

  @Test func overBudgetDocumentsFailAloneWhereTheJobAsksForIt() async throws {
    let engine = StubEngine()
    var request = request([words(30), "bb", "", "dddd"])
    request.documentFailure = .perDocument
    let result = try await completed(engine, request)
    #expect(result.results.map(\.index) == [3, 1])
    #expect(result.failedDocuments.map(\.index) == [0, 2])
    #expect(result.failedDocuments.map(\.code) == [3, 3])
    #expect(engine.requests.first?.documents.map(\.text) == ["bb", "dddd"])
  }

  @Test func engineIsNotCalledWhenNoDocumentCanBeScored() async throws {
    let engine = StubEngine()
    var request = request([words(30), ""])
    request.documentFailure = .perDocument
    let result = try await completed(engine, request)
    #expect(result.results.isEmpty)
    #expect(result.failedDocuments.count == 2)
    #expect(engine.requests.isEmpty)
  }

  // MARK: Bad input

  @Test func badRequestsAreInvalidAndNeverRetried() async throws {
    var noQuery = request(["a"])
    noQuery.clearQuery()
    var emptyQuery = request(["a"])
    emptyQuery.query = .with { $0.parts = [.with { $0.text = " " }] }
    var emptyPart = request(["a"])
    emptyPart.documents[0].parts.append(Part())
    var emptyImage = request(["a"])
    emptyImage.documents[0].parts = [.with { $0.image = Image() }]
    var image = request(["a"])
    image.documents[0].parts = [.with { $0.image.url = "https://example.org/i.png" }]
    var unknownPolicy = request(["a"])
    unknownPolicy.overBudget = .UNRECOGNIZED(9)
    var unknownFailurePolicy = request(["a"])
    unknownFailurePolicy.documentFailure = .UNRECOGNIZED(9)
    let bad: [(RerankRequest, String)] = [
      (noQuery, "query"), (emptyQuery, "query"), (request([]), "no documents"),
      (request(["a", ""]), "document 1"), (emptyPart, "documents[0].parts[1]"),
      (emptyImage, "documents[0].parts[0]"), (image, "document 0"),
      (unknownPolicy, "over_budget"), (unknownFailurePolicy, "document_failure"),
      (request(Array(repeating: "a", count: 11)), "documents"),
    ]
    let engine = StubEngine()
    for (request, named) in bad {
      let failure = await failed(engine, request)
      #expect(failure?.status.code == StatusCode.invalidArgument.rawValue, "\(named)")
      #expect(failure?.status.message.contains(named) == true, "\(failure?.status.message ?? "")")
      #expect(failure?.retryable == false)
    }
    #expect(engine.requests.isEmpty)
  }

  @Test func bytesThatAreNoRequestAreInvalid() async {
    var assignment = assignment(request(["a"]))
    assignment.request = Data([0xFF, 0xFF, 0xFF])
    let failure = await failed(StubEngine(), assignment)
    #expect(failure?.status.code == StatusCode.invalidArgument.rawValue)
  }

  @Test func modelThatIsNotServedIsAnotherWorkersToTry() async {
    var assignment = assignment(request(["a"]))
    assignment.model = "other"
    let failure = await failed(StubEngine(), assignment)
    #expect(failure?.status.code == StatusCode.notFound.rawValue)
    #expect(failure?.retryable == true)
  }

  // MARK: Engines that fail

  @Test func engineErrorBecomesTheAttemptsFailure() async {
    let engine = StubEngine { _, _ in
      throw EngineError(
        code: .unauthenticated, message: "The token was refused.", isRetryable: true,
        retryAfter: .seconds(60), backendFault: .credentialsRefused,
        spendsAttempt: false)
    }
    let failure = await failed(engine, request(["a"]))
    #expect(failure?.status.code == StatusCode.unauthenticated.rawValue)
    #expect(failure?.status.message == "The token was refused.")
    #expect(failure?.status.details.retryAfterMs == 60_000)
    #expect(failure?.retryable == true)
    #expect(failure?.unspent == true)
    #expect(failure?.fault == .credentialsRefused)
  }

  @Test func unexpectedErrorIsInternalAndWorthAnotherTry() async {
    struct Odd: Error {}
    let failure = await failed(StubEngine { _, _ in throw Odd() }, request(["a"]))
    #expect(failure?.status.code == StatusCode.internal.rawValue)
    #expect(failure?.retryable == true)
    #expect(failure?.unspent == false)
  }

  @Test func engineThatWedgesLosesTheJobAtItsDeadline() async {
    // Heeds no cancellation, as an engine stuck in its own code would not.
    let engine = StubEngine { _, _ in
      try await withUnsafeThrowingContinuation { _ in }
    }
    var assignment = assignment(request(["a"]))
    assignment.remainingMs = 50
    let failure = await failed(engine, assignment)
    #expect(failure?.status.code == StatusCode.deadlineExceeded.rawValue)
    #expect(failure?.retryable == true)
  }

  @Test func cancellingTheAttemptDoesNotWaitForAWedgedEngine() async {
    let engine = StubEngine { _, _ in
      try await withUnsafeThrowingContinuation { _ in }
    }
    let task = Task { await failed(engine, request(["a"])) }
    task.cancel()
    #expect(await task.value?.retryable == true)
  }

  @Test(arguments: [[], [Float.nan], [.infinity], [0.5, 0.5]])
  func wrongScoresAreTheEnginesFault(scores: [Float]) async {
    let engine = StubEngine { _, _ in
      ScoringResult(
        scores: scores.map { .init(relevanceScore: $0, rankingKey: $0) }, usage: nil, model: "m",
        scoreKind: .sigmoid, precision: nil)
    }
    let failure = await failed(engine, request(["a"]))
    #expect(failure?.status.code == StatusCode.internal.rawValue)
  }

  // MARK: -

  private func words(_ count: Int) -> String {
    Array(repeating: "w", count: count).joined(separator: " ")
  }

  private func request(_ documents: [String]) -> RerankRequest {
    .with {
      $0.query = .with { $0.parts = [.with { $0.text = "query" }] }
      $0.documents = documents.map { text in .with { $0.parts = [.with { $0.text = text }] } }
    }
  }

  private func assignment(_ request: RerankRequest) -> Assignment {
    .with {
      $0.lease.jobID = 7
      $0.model = "m"
      $0.remainingMs = 60_000
      $0.request = (try? request.serializedBytes()) ?? Data()
      $0.traceparent = "00-trace"
    }
  }

  private func run(
    _ engine: StubEngine, _ assignment: Assignment,
    _ change: (inout WorkerConfiguration) -> Void = { _ in }
  ) async -> WorkerSession.AttemptEnd {
    var configuration = WorkerConfiguration(workerID: "w")
    configuration.documentsMax = 10
    change(&configuration)
    let runner = AttemptRunner(
      configuration: configuration, models: ["m": .init(engine: engine, model: .stub)])
    return await runner.run(assignment, progress: {})
  }

  private func completed(_ engine: StubEngine, _ request: RerankRequest) async throws
    -> RerankResult
  {
    let end = await run(engine, assignment(request))
    guard case .completed(let bytes) = end else {
      Issue.record("\(end)")
      throw CancellationError()
    }
    return try RerankResult(serializedBytes: bytes)
  }

  private func failed(
    _ engine: StubEngine, _ request: RerankRequest,
    _ change: (inout WorkerConfiguration) -> Void = { _ in }
  ) async -> AttemptFailure? {
    await failed(engine, assignment(request), change)
  }

  private func failed(
    _ engine: StubEngine, _ assignment: Assignment,
    _ change: (inout WorkerConfiguration) -> Void = { _ in }
  ) async -> AttemptFailure? {
    let end = await run(engine, assignment, change)
    guard case .failed(let failure) = end else { return nil }
    return failure
  }
}
