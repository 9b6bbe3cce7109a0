import RerankdProtocol
import SwiftProtobuf
import Synchronization
import WireTestSupport

/// Answers Submit and Rerank as a queue would whose workers are done at once. A query "refused" is
/// refused. Whatever is asked for is job 7, which waits until it is cancelled.
final class FakeJobs: Sendable {
  /// All jobs that came in, refused ones included.
  let jobs = Mutex<[RerankJob]>([])
  private let accepted = Atomic<UInt64>(0)
  private let answers: Bool
  private let shard: UInt16

  /// - Parameters:
  ///   - answers: false takes jobs and never says a word about them.
  ///   - shard: which of several queues it says that it is.
  init(answers: Bool = true, shard: UInt16 = 0) {
    self.answers = answers
    self.shard = shard
  }

  func queue(at endpoint: String = "tcp://127.0.0.1:*") throws -> ScriptedQueue {
    try ScriptedQueue(at: endpoint) { [self] envelope in
      guard case .open(let head, let payload?) = envelope.body else { return [] }
      do {
        guard let answer = try answer(to: head.method, payload) else { return [] }
        return Envelope.answer(callID: envelope.callID, answer)
      } catch {
        return [.failure(callID: envelope.callID, CallError(.invalidArgument, "\(error)"))]
      }
    }
  }

  /// Waits until so many jobs have come in.
  func has(jobs count: Int) async throws {
    while jobs.withLock({ $0.count }) < count { try await Task.sleep(for: .milliseconds(2)) }
  }

  private func answer(to method: String, _ payload: [UInt8]) throws -> [UInt8]? {
    switch Method(rawValue: method) {
    case .submit:
      let request = try SubmitRequest(serializedBytes: payload)
      var response = SubmitResponse()
      response.outcomes = try request.jobs.map { job in
        var outcome = SubmitOutcome()
        if let id = try accept(job) { outcome.jobID = id } else { outcome.error = refusal.status }
        return outcome
      }
      return answers ? try response.serializedBytes() : nil
    case .rerank:
      let job = try RerankCall(serializedBytes: payload).job
      var outcome = JobOutcome()
      if let id = try accept(job) {
        outcome.jobID = id
        outcome.state = .succeeded
        var result = RerankResult()
        result.results = [UInt32(1), 0].map { index in
          var ranked = RankedDocument()
          ranked.index = index
          return ranked
        }
        outcome.result = try result.serializedBytes()
      } else {
        outcome.state = .dead
        outcome.error = refusal.status
      }
      return answers ? try outcome.serializedBytes() : nil
    case .get:
      var details = JobDetails()
      details.jobID = 7
      details.state = .ready
      return try details.serializedBytes()
    case .listModels:
      var response = ListModelsResponse()
      response.shard = UInt32(shard)
      var model = ModelInfo()
      model.name = "m\(shard)"
      response.models = [model]
      return try response.serializedBytes()
    case .cancel:
      var response = CancelResponse()
      response.state = .cancelled
      return try response.serializedBytes()
    default:
      return nil
    }
  }

  private var refusal: CallError { CallError(.notFound, "no such model") }

  private func accept(_ job: RerankJob) throws -> UInt64? {
    jobs.withLock { $0.append(job) }
    let request = try RerankRequest(serializedBytes: job.request)
    guard request.query.parts.first?.text != "refused" else { return nil }
    return JobID(shard: shard, sequence: accepted.add(1, ordering: .relaxed).newValue).rawValue
  }
}
