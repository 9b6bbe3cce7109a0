import CoreMetrics
import Foundation
import RerankdProtocol
import Scoring
import SwiftProtobuf
import TraceContext
import Tracing

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
  var metrics = WorkerMetrics(NOOPMetricsHandler.instance, queue: "")
  var tracer: any Tracer = NoOpTracer()

  /// - Parameters:
  ///   - admission: passed to the engine, which asks it before each request to a backend.
  ///   - progress: passed to the engine, which alone may call it.
  func run(
    _ assignment: Assignment, admission: any BackendAdmission = UnlimitedAdmission(),
    progress: @escaping @Sendable () -> Void
  ) async -> WorkerSession.AttemptEnd {
    let start = ContinuousClock.now
    let received = assignment.traceparent.isEmpty ? nil : assignment.traceparent
    let span = tracer.startSpan(
      "rerank attempt", context: tracer.context(ofTraceparent: received), ofKind: .consumer)
    span.updateAttributes {
      $0["rerankd.job_id"] = "\(JobID(rawValue: assignment.lease.jobID))"
      $0["rerankd.model"] = assignment.model
      $0["rerankd.attempt"] = Int(assignment.lease.attempt)
    }
    var context = span.context
    // Without a tracer the log still names the trace that the job came with.
    if context.traceParent == nil { context.traceParent = received.flatMap { TraceParent($0) } }
    let end = await InstrumentationContext.$current.withValue(context) {
      await outcome(
        of: assignment, traceparent: tracer.traceparent(of: span.context, orReceived: received),
        admission, progress: progress)
    }
    let name = Task.isCancelled ? "cancelled" : end.metricName
    if case .failed(let failure) = end {
      span.setStatus(SpanStatus(code: .error, message: failure.status.message))
    }
    span.attributes["rerankd.outcome"] = name
    span.end()
    let engine = models[assignment.model]?.engine.name ?? "none"
    metrics.model(assignment.model, engine: engine)
      .attemptEnded(name, after: start.duration(to: .now))
    return end
  }

  private func outcome(
    of assignment: Assignment, traceparent: String?, _ admission: any BackendAdmission,
    progress: @escaping @Sendable () -> Void
  ) async -> WorkerSession.AttemptEnd {
    do {
      let result = try await rank(
        assignment, traceparent: traceparent, admission, progress: progress)
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
    _ assignment: Assignment, traceparent: String?, _ admission: any BackendAdmission,
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
        traceparent: traceparent),
      model: served.model, counter: served.engine.tokenCounter(forModel: assignment.model),
      windowLimits: configuration.windowLimits)
    let modelMetrics = metrics.model(assignment.model, engine: served.engine.name)
    var scored: ScoringResult?
    if !plan.passages.isEmpty {
      var passages = plan.request
      passages.remaining = max(.zero, deadline - .now)
      passages.admission = admission
      let known = KnownScores(
        assignment.partialScores, engine: served.engine.name, texts: passages.documents.count)
      let start = ContinuousClock.now
      defer {
        modelMetrics.engineWorked(
          on: passages.documents.count, for: start.duration(to: .now))
      }
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
    let result = try plan.result(of: scored, model: served.model, engine: served.engine.name)
    modelMetrics.succeeded(plan.figures(of: result))
    return result
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

extension WorkerSession.AttemptEnd {
  /// "ok", or the code that the attempt failed with.
  fileprivate var metricName: String {
    switch self {
    case .completed: "ok"
    case .failed(let failure): "\(StatusCode(wire: failure.status.code))".lowercased()
    }
  }
}
