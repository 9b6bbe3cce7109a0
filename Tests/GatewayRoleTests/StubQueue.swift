import Foundation
import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import Synchronization
import TestSupport

@testable import GatewayRole

/// A queue that answers as a test says, and remembers what it was asked.
final class StubQueue: GatewayQueue {
  typealias Answer = @Sendable (RerankJob) async throws(CallError) -> JobOutcome

  private struct State {
    var reranks: [(job: RerankJob, timeout: Duration?, cancelsJob: Bool)] = []
    var submitted: [RerankJob] = []
    var cancelled: [JobID] = []
    var jobs: [JobID: JobDetails] = [:]
    var callsOff = 0
  }

  private let state = Mutex(State())
  private let answer: Answer
  private let modelsError: CallError?

  init(modelsError: CallError? = nil, answer: @escaping Answer = StubQueue.ranked) {
    self.answer = answer
    self.modelsError = modelsError
  }

  var reranks: [(job: RerankJob, timeout: Duration?, cancelsJob: Bool)] {
    state.withLock { $0.reranks }
  }
  var submitted: [RerankJob] { state.withLock { $0.submitted } }
  var cancelled: [JobID] { state.withLock { $0.cancelled } }
  /// Reranks whose task was cancelled while they waited.
  var callsOff: Int { state.withLock { $0.callsOff } }

  func add(_ details: JobDetails) {
    state.withLock { $0.jobs[JobID(rawValue: details.jobID)] = details }
  }

  func rerank(
    _ job: RerankJob, timeout: Duration?, cancelsJob: Bool
  ) async throws(CallError) -> JobOutcome {
    state.withLock { $0.reranks.append((job, timeout, cancelsJob)) }
    do throws(CallError) {
      return try await answer(job)
    } catch {
      if error.code == .cancelled { state.withLock { $0.callsOff += 1 } }
      throw error
    }
  }

  func submit(_ jobs: [RerankJob], timeout: Duration?) async throws(CallError) -> [SubmitOutcome] {
    let first = state.withLock { state in
      defer { state.submitted += jobs }
      return state.submitted.count + 1
    }
    return jobs.indices.map {
      var outcome = SubmitOutcome()
      outcome.jobID = UInt64(first + $0)
      return outcome
    }
  }

  func job(
    _ id: JobID, withRequest: Bool, withAttempts: Bool
  ) async throws(CallError) -> JobDetails {
    guard var details = state.withLock({ $0.jobs[id] }) else {
      throw CallError(.notFound, "no job \(id)")
    }
    if !withRequest { details.request = .init() }
    return details
  }

  func cancel(_ id: JobID) async throws(CallError) -> JobState {
    state.withLock { $0.cancelled.append(id) }
    return .cancelled
  }

  func models(timeout: Duration?) async throws(CallError) -> [ModelInfo] {
    if let modelsError { throw modelsError }
    return ["m", "other"].map {
      var model = ModelInfo()
      model.name = $0
      model.contextTokens = 512
      return model
    }
  }

  /// The documents in reverse order, the last one best.
  @Sendable static func ranked(_ job: RerankJob) async throws(CallError) -> JobOutcome {
    var outcome = JobOutcome()
    outcome.jobID = 7
    outcome.state = .succeeded
    do {
      let request = try RerankRequest(serializedBytes: job.request)
      var result = RerankResult()
      result.results = request.documents.indices.reversed().map { index in
        var ranked = RankedDocument()
        ranked.index = UInt32(index)
        ranked.relevanceScore = Float(index + 1) / 16
        return ranked
      }
      if request.topN > 0 { result.results = Array(result.results.prefix(Int(request.topN))) }
      result.model = "served-\(job.spec.model)"
      result.engine = "stub"
      result.scoreKind = "sigmoid"
      result.usage.promptTokens = 20
      result.usage.totalTokens = 20
      outcome.result = try result.serializedData()
    } catch {
      throw CallError(.internal, "\(error)")
    }
    return outcome
  }

  /// Waits until the call is called off.
  @Sendable static func never(_ job: RerankJob) async throws(CallError) -> JobOutcome {
    do {
      try await Task.sleep(for: .seconds(60))
    } catch {
      throw CallError(.cancelled, "the call was cancelled")
    }
    throw CallError(.internal, "nobody called it off")
  }

  static func failing(_ error: CallError) -> Answer {
    { _ throws(CallError) in throw error }
  }
}
