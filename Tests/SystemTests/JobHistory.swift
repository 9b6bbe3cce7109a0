import Foundation
import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import Synchronization

/// What producers and consumers sent and were told while things broke around them. Each of them notes
/// it here, and in the end ``verify(against:)`` holds the ledger to it.
///
/// Every job has a key of its own. What is wrong by itself, two ids of one key or two outcomes of one
/// job, is thrown at once.
final class JobHistory: Sendable {
  /// A job that may be in the ledger, for it was sent.
  struct Sent {
    var documents: Int
    var spec: JobSpec

    /// Whether somebody is told the outcome.
    var hasChannel: Bool { !spec.replyChannel.isEmpty }
  }

  struct Record {
    var sent: [String: Sent] = [:]
    /// Key → id, of every job that the queue said it has.
    var acknowledged: [String: UInt64] = [:]
    /// Id → outcome, of every delivery.
    var delivered: [UInt64: JobOutcome] = [:]
    /// Id → ranking, as a consumer that was killed had printed it before it acknowledged.
    var printed: [UInt64: [RankedDocument]] = [:]
    /// Key → ranking, as HTTP clients were answered.
    var answered: [String: [RankedDocument]] = [:]
    /// Ids that somebody wanted cancelled → what the queue said they are; nil where no answer came.
    var cancelled: [UInt64: JobState?] = [:]
    var outstanding: Set<UInt64> = []
    var resubmissions = 0
    var redeliveries = 0

    func isTold(_ id: UInt64) -> Bool { delivered[id] != nil || printed[id] != nil }
  }

  private let state = Mutex(Record())

  var record: Record { state.withLock { $0 } }

  /// Acknowledged jobs whose outcome has not come, though somebody waits for it.
  var outstanding: Set<UInt64> { state.withLock(\.outstanding) }

  /// Outcomes and answers that came.
  var toldCount: Int {
    state.withLock { $0.delivered.count + $0.answered.count }
  }

  // MARK: Producers

  /// To be noted before the job is sent: whatever becomes of the call, the job may be there.
  func willSend(_ job: RerankJob) throws {
    let request = try RerankRequest(serializedBytes: job.request)
    let sent = Sent(documents: request.documents.count, spec: job.spec)
    state.withLock { $0.sent[job.spec.idempotencyKey] = sent }
  }

  /// Of jobs that none is to be refused.
  @discardableResult
  func submit(_ jobs: [RerankJob], to client: QueueClient) async throws -> [JobID] {
    for job in jobs { try willSend(job) }
    let outcomes = try await client.submit(jobs)
    try note(outcomes, of: jobs.map(\.spec.idempotencyKey))
    return outcomes.map(\.id)
  }

  func noteResubmission() {
    state.withLock { $0.resubmissions += 1 }
  }

  func note(_ outcomes: [SubmitOutcome], of keys: [String]) throws {
    try state.withLock { record in
      for (key, outcome) in zip(keys, outcomes) {
        guard !outcome.hasError else {
          throw BrokenPromise("\(key) was refused: \(outcome.error.message)")
        }
        let former = record.acknowledged.updateValue(outcome.jobID, forKey: key)
        guard former == nil || former == outcome.jobID else {
          throw BrokenPromise("\(key) is job \(former ?? 0) and job \(outcome.jobID)")
        }
        if record.sent[key]?.hasChannel == true, !record.isTold(outcome.jobID) {
          record.outstanding.insert(outcome.jobID)
        }
      }
    }
  }

  func note(answer ranking: [RankedDocument], of key: String) {
    state.withLock { $0.answered[key] = ranking }
  }

  func willCancel(_ id: UInt64) {
    state.withLock { $0.cancelled[id] = .some(nil) }
  }

  func note(cancelled id: UInt64, nowIs job: JobState) {
    state.withLock { $0.cancelled[id] = job }
  }

  // MARK: Consumers

  /// - Throws: where it is another outcome than the job's former deliveries had.
  func note(_ outcome: JobOutcome) throws {
    try state.withLock { record in
      record.outstanding.remove(outcome.jobID)
      let former = record.delivered.updateValue(outcome, forKey: outcome.jobID)
      guard let former else { return }
      record.redeliveries += 1
      guard former == outcome else {
        throw BrokenPromise(
          "job \(outcome.jobID) was delivered as \(former) and then as \(outcome)")
      }
    }
  }

  func note(printed ranking: [RankedDocument], of id: UInt64) {
    state.withLock { record in
      if record.isTold(id) { record.redeliveries += 1 }
      record.outstanding.remove(id)
      record.printed[id] = ranking
    }
  }
}

struct BrokenPromise: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}
