import Ledger
import RerankdProtocol
import SwiftProtobuf

extension JobAction {
  enum Kind: Equatable {
    case cancel
    /// - Parameter undelivered: also what no consumer has acknowledged.
    case purge(undelivered: Bool)
  }
}

/// What operators do to many jobs at once: end them, or remove those that have ended.
extension QueueCore {
  func act(_ kind: JobAction.Kind, on ids: [JobID], _ call: CallRef) {
    let outcomes = ids.map { id in JobAction.with { $0.jobID = id.rawValue } }
    let batch = JobBatch(call: call, outcomes) { outcomes in
      switch kind {
      case .cancel: CancelJobsResponse.with { $0.outcomes = outcomes }
      case .purge: PurgeJobsResponse.with { $0.outcomes = outcomes }
      }
    }
    calls[call] = .batch(batch)
    for (index, id) in ids.enumerated() {
      if let job = jobs[id] {
        settle(batch, index, kind, live: job)
      } else if id.shard == shard {
        changesUnderWay += 1
        read(
          .job(id, withRequest: false, withAttempts: false),
          for: .action(kind, batch, index: index, id))
      } else {
        settle(batch, index) { $0.error = unknownJob(id).status }
      }
    }
  }

  private func settle(
    _ batch: JobBatch<JobAction>, _ index: Int, _ kind: JobAction.Kind, live job: Job
  ) {
    switch kind {
    case .cancel:
      abandon(job, .cancelled, code: .cancelled, message: "cancelled by an operator")
      settle(batch, index) { $0.state = .cancelled }
    case .purge:
      let state = job.record.state.state
      refuse(
        batch, index, state, job.id, "only jobs that have ended can be purged; cancel it first")
    }
  }

  func settle(
    _ batch: JobBatch<JobAction>, _ index: Int, _ kind: JobAction.Kind, _ id: JobID,
    _ result: LedgerReadResult
  ) {
    // Memory knows better than the read: the job may have been brought back since.
    if let job = jobs[id] { return settle(batch, index, kind, live: job) }
    switch result {
    case .job(let stored?): settle(batch, index, kind, ended: stored)
    case .job(nil): settle(batch, index) { $0.error = unknownJob(id).status }
    case .failed(let message): settle(batch, index) { $0.error = unreadable(message).status }
    default: settle(batch, index) { $0.error = unreadable("it answered something else").status }
    }
  }

  private func settle(
    _ batch: JobBatch<JobAction>, _ index: Int, _ kind: JobAction.Kind, ended stored: StoredJob
  ) {
    let id = stored.record.id
    let state = stored.record.state.state
    switch kind {
    case .cancel: refuse(batch, index, state, id, "it had ended before")
    case .purge(let undelivered):
      let delivery = stored.delivery?.state
      let isUndelivered = deliveries[id] != nil || delivery == .pending || delivery == .parked
      if isUndelivered, !undelivered {
        return refuse(
          batch, index, state, id,
          "its outcome was not acknowledged by a consumer; ask for undelivered ones too "
            + "to remove it")
      }
      purge(id)
      settle(batch, index) { $0.state = .unspecified }
    }
  }

  private func purge(_ id: JobID) {
    if let delivery = deliveries[id] { withdraw(delivery) }
    noteChange(of: id)
    effects.append(.write(.removeJob(id)))
    effects.append(.forgetResult(id))
  }

  /// An ended job was brought back or removed: reads that were asked before show it as it was.
  func noteChange(of id: JobID) {
    if changesUnderWay > 0 { changedMeanwhile[id] = ReadTicket(rawValue: nextTicket) }
  }

  /// - Returns: whether it can be told how the job is that is to be changed: the read shows it, or
  ///   memory does.
  func endChange(of id: JobID, _ ticket: ReadTicket) -> Bool {
    let isCurrent = changedMeanwhile[id].map { $0.rawValue <= ticket.rawValue } ?? true
    changesUnderWay -= 1
    if changesUnderWay == 0 { changedMeanwhile = [:] }
    return isCurrent || jobs[id] != nil
  }

  func changedMeanwhile(_ id: JobID) -> CallError {
    CallError(
      .unavailable, "job \(id) was changed by another call meanwhile; look at it again",
      reason: "JOB_CHANGED", resource: "\(id)")
  }

  private func refuse(
    _ batch: JobBatch<JobAction>, _ index: Int, _ state: JobState, _ id: JobID, _ reason: String
  ) {
    let error = CallError(
      .failedPrecondition, "job \(id) is \(state): \(reason)", reason: "JOB_STATE",
      resource: "\(id)")
    settle(batch, index) {
      $0.state = state
      $0.error = error.status
    }
  }
}
