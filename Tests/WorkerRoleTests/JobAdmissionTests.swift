import CallTransport
import Foundation
import Logging
import RerankdProtocol
import Scoring
import SwiftProtobuf
import TestSupport
import Testing
import ZeroMQ

@testable import WorkerRole

/// An engine that asks for leave before its requests, in a whole worker against a queue's socket.
@Suite(.timeLimit(.minutes(1))) struct JobAdmissionTests {
  /// Sends one request a job; what it is answered is for the test to say.
  private func engine(
    _ request: @escaping @Sendable (ScoringRequest) async throws -> ScoringResult
  ) -> StubEngine {
    StubEngine { scoring, _ in
      try await scoring.admission.withPermit(backend: "hub", tokens: 42) {
        try await request(scoring)
      }
    }
  }

  private func withWorker(
    _ queue: WorkQueue, _ engine: any RerankEngine,
    _ body: (Worker) async throws -> Void
  ) async throws {
    var configuration = WorkerConfiguration(workerID: "w-1")
    configuration.reattachBackoff = .milliseconds(5)
    configuration.reattachBackoffMax = .milliseconds(50)
    configuration.releaseTimeout = .milliseconds(100)
    let worker = try Worker(
      configuration, engines: [engine],
      queue: ConnectionConfiguration(endpoint: Endpoint(queue.endpoint)), version: "1",
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let run = Task { try await worker.run() }
    do {
      try await body(worker)
    } catch {
      run.cancel()
      throw error
    }
    run.cancel()
    try await run.value
  }

  private func request(
    _ queue: WorkQueue, on stream: WorkQueue.Stream
  ) async throws -> PermitRequest {
    try await eventualValue("a permit request") {
      queue.messages(on: stream).flatMap(\.permitRequests).first
    }
  }

  private func report(_ queue: WorkQueue, on stream: WorkQueue.Stream) async throws -> PermitReport
  {
    try await eventualValue("a report") {
      queue.messages(on: stream).flatMap(\.permitReports).first
    }
  }

  private func grant(_ id: UInt64, _ queue: WorkQueue, on stream: WorkQueue.Stream) {
    queue.send(
      .with {
        $0.grantedPermits = [
          .with {
            $0.permitID = id
            $0.validMs = 60_000
          }
        ]
      }, on: stream)
  }

  @Test func requestIsSentWhenTheQueueGivesLeave() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, engine { StubEngine.scores(of: $0) }) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([5: "text"], on: stream)
      let request = try await request(queue, on: stream)
      #expect(request.backend == "hub" && request.tokens == 42 && request.jobID == 5)
      #expect(queue.messages(on: stream).flatMap(\.outcomes).isEmpty)
      grant(request.permitID, queue, on: stream)
      #expect(try await !queue.outcome(of: 5, on: stream).completed.isEmpty)
      let report = try await report(queue, on: stream)
      #expect(report.permitID == request.permitID && report.fault == .none && !report.unused)
      queue.record([5], on: stream)
    }
  }

  @Test func refusedRequestGivesTheJobBackUnspent() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, engine { StubEngine.scores(of: $0) }) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([5: "text"], on: stream)
      let id = try await request(queue, on: stream).permitID
      queue.send(
        .with {
          $0.refusedPermits = [
            .with {
              $0.permitID = id
              $0.retryAfterMs = 1_500
              $0.reason = "it refuses the credentials"
            }
          ]
        }, on: stream)
      let failure = try await queue.outcome(of: 5, on: stream).failed
      #expect(failure.unspent && failure.retryable)
      #expect(failure.status.details.retryAfterMs == 1_500)
      #expect(failure.status.message.contains("it refuses the credentials"))
      queue.record([5], on: stream)
    }
  }

  @Test func faultIsReportedBeforeTheOutcome() async throws {
    let queue = try WorkQueue()
    let engine = engine { _ in
      throw EngineError(
        code: .resourceExhausted, message: "429", isRetryable: true, retryAfter: .seconds(3),
        backendFault: .rateLimited,
        partialScores: Scoring.PartialScores(
          scores: [0: DocumentScore(relevanceScore: 0.5, rankingKey: 0.5)], scoreKind: .sigmoid,
          model: "v1", usage: nil))
    }
    try await withWorker(queue, engine) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([5: "text"], on: stream)
      grant(try await request(queue, on: stream).permitID, queue, on: stream)
      let failure = try await queue.outcome(of: 5, on: stream).failed
      let report = try await report(queue, on: stream)
      #expect(report.fault == .rateLimited && report.retryAfterMs == 3_000)
      #expect(failure.fault == .rateLimited && !failure.unspent)
      let scores = try RerankdProtocol.PartialScores(serializedBytes: failure.partialScores)
      #expect(scores.engine == "stub" && scores.scores.map(\.index) == [0] && scores.texts == 1)
      let order = queue.messages(on: stream).flatMap { message in
        message.permitReports.map { _ in "report" } + message.outcomes.map { _ in "outcome" }
      }
      #expect(order == ["report", "outcome"])
      queue.record([5], on: stream)
    }
  }

  @Test func jobThatIsTakenAwayGivesItsPlaceInLineBack() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, engine { StubEngine.scores(of: $0) }) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([5: "text"], on: stream)
      let id = try await request(queue, on: stream).permitID
      queue.send(
        .with {
          $0.revoked = [
            .with {
              $0.jobID = 5
              $0.attempt = 1
              $0.epoch = 1
            }
          ]
        }, on: stream)
      let report = try await report(queue, on: stream)
      #expect(report.permitID == id && report.unused)
    }
  }

  @Test func waitingRequestIsAskedForAnewWhenTheStreamWasLost() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, engine { StubEngine.scores(of: $0) }) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([5: "text"], on: stream)
      _ = try await request(queue, on: stream)
      // A message that cannot be read costs the worker its stream.
      queue.sendBytes([0xFF, 0xFF, 0xFF], on: stream)
      let (again, _) = try await queue.accept(1, adopted: [5])
      grant(try await request(queue, on: again).permitID, queue, on: again)
      #expect(try await !queue.outcome(of: 5, on: again).completed.isEmpty)
      queue.record([5], on: again)
    }
  }

  @Test func leaseLivesWhileTheJobWaitsInLine() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, engine { StubEngine.scores(of: $0) }) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([5: "text"], on: stream)
      try await eventually("renewals") {
        queue.messages(on: stream).flatMap(\.progress).count >= 3
      }
      grant(try await request(queue, on: stream).permitID, queue, on: stream)
      _ = try await queue.outcome(of: 5, on: stream)
      queue.record([5], on: stream)
    }
  }

  @Test func renewedCredentialsReachTheQueue() async throws {
    let queue = try WorkQueue()
    let (renewals, continuation) = AsyncStream<String>.makeStream()
    try await withWorker(queue, RenewingEngine(renewals: renewals)) { _ in
      let (stream, _) = try await queue.accept()
      continuation.yield("hub")
      try await eventually("the renewal") {
        queue.messages(on: stream).flatMap(\.renewedCredentials) == ["hub"]
      }
    }
  }
}

/// Tells of renewals as it is told to.
private struct RenewingEngine: RerankEngine {
  let renewals: AsyncStream<String>

  var name: String { "hub" }
  func models() async throws -> [EngineModel] { [.stub] }
  func tokenCounter(forModel model: String) -> any TokenCounter { WordCounter() }
  func renewedCredentials() -> AsyncStream<String> { renewals }

  func score(_ request: ScoringRequest, progress: @escaping @Sendable () -> Void) async throws
    -> ScoringResult
  {
    StubEngine.scores(of: request)
  }
}
