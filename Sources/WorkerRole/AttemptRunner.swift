import Foundation
import RerankdProtocol
import Scoring
import SwiftProtobuf

/// One attempt at one job: reads the request, holds every pair against the model's budget, has the
/// engine score what fits, ranks. Whatever goes wrong becomes the attempt's outcome and nothing
/// else.
struct AttemptRunner: Sendable {
  /// Where a model's jobs go.
  struct ServedModel: Sendable {
    var engine: any RerankEngine
    var model: EngineModel
  }

  let configuration: WorkerConfiguration
  let models: [String: ServedModel]

  /// - Parameters:
  ///   - admission: passed to the engine, which asks it before each request to a backend.
  ///   - progress: passed to the engine, which alone may call it.
  func run(
    _ assignment: Assignment, admission: any BackendAdmission = UnlimitedAdmission(),
    progress: @escaping @Sendable () -> Void
  ) async -> WorkerSession.AttemptEnd {
    do {
      let result = try await rank(assignment, admission, progress: progress)
      return .completed(try result.serializedBytes())
    } catch let failed as AttemptError {
      return .failed(Self.failure(failed.error, scores: failed.scores))
    } catch let error as EngineError {
      return .failed(Self.failure(error))
    } catch is CancellationError {
      return .failed(
        Self.failure(
          EngineError(
            code: .unavailable, message: "The attempt was cancelled.", isRetryable: true)))
    } catch {
      return .failed(
        Self.failure(
          EngineError(
            code: .internal, message: "The attempt failed: \(error)", isRetryable: true)))
    }
  }

  private func rank(
    _ assignment: Assignment, _ admission: any BackendAdmission,
    progress: @escaping @Sendable () -> Void
  ) async throws -> RerankResult {
    let remaining = min(
      .milliseconds(Int64(clamping: assignment.remainingMs)), configuration.jobTimeout)
    let deadline = ContinuousClock.now + remaining
    guard let served = models[assignment.model] else {
      throw EngineError(
        code: .notFound,
        message: "This worker does not serve the model \"\(assignment.model)\" any more.",
        isRetryable: true)
    }
    let request = try RequestReader.read(
      assignment.request, documentsMax: configuration.documentsMax)
    let plan = try ScoringPlan(
      request,
      scoring: ScoringRequest(
        model: assignment.model, query: RequestReader.content(request.query),
        documents: request.documents.map(RequestReader.content),
        instruction: request.instruction.isEmpty ? nil : request.instruction,
        remaining: remaining, jobID: JobID(rawValue: assignment.lease.jobID).description,
        traceparent: assignment.traceparent.isEmpty ? nil : assignment.traceparent),
      model: served.model, counter: served.engine.tokenCounter(forModel: assignment.model),
      windowLimits: configuration.windowLimits)
    var scored: ScoringResult?
    if !plan.passages.isEmpty {
      var passages = plan.request
      passages.remaining = max(.zero, deadline - .now)
      passages.admission = admission
      let known = KnownScores(
        assignment.partialScores, engine: served.engine.name, texts: passages.documents.count)
      do {
        scored = try await FirstResult.of(until: deadline) { [passages] in
          try await known.complete(passages) {
            try await served.engine.score($0, progress: progress)
          }
        }
      } catch let error as EngineError {
        throw AttemptError(
          error: error,
          scores: error.partialScores?.serialized(
            engine: served.engine.name, texts: passages.documents.count))
      }
    }
    return try plan.result(of: scored, model: served.model, engine: served.engine.name)
  }

  /// What the engine failed with, and what it had scored by then: a serialized PartialScores.
  private struct AttemptError: Error {
    var error: EngineError
    var scores: Data?
  }

  private static func failure(_ error: EngineError, scores: Data? = nil) -> AttemptFailure {
    .with {
      $0.status.code = error.code.rawValue
      $0.status.message = error.message
      if let retryAfter = error.retryAfter {
        $0.status.details.retryAfterMs = retryAfter.wholeMilliseconds
      }
      $0.retryable = error.isRetryable
      $0.unspent = !error.spendsAttempt
      $0.fault = RerankdProtocol.BackendFault(error.backendFault)
      $0.partialScores = scores ?? Data()
    }
  }
}
