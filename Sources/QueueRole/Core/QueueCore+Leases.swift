import Ledger
import RerankdProtocol

/// Leases: renewed by progress alone, lost with the worker or its silence about the job.
extension QueueCore {
  /// Whether the worker speaks of the lease in force, not of an earlier one.
  func isCurrent(_ lease: Lease, _ current: JobLease) -> Bool {
    guard lease.attempt == current.attempt else { return false }
    // Of a lease from before a restart the ledger knows the attempt and the worker, not the epoch.
    return current.epoch.map { $0 == lease.epoch } ?? (lease.epoch < epoch)
  }

  /// The job and its lease, if this worker has it.
  func held(_ lease: Lease, by session: WorkerSession) -> (Job, JobLease)? {
    guard let job = jobs[lease.job], let current = job.lease,
      current.workerID == session.workerID, isCurrent(lease, current)
    else { return nil }
    return (job, current)
  }

  func progress(_ lease: Lease, by session: WorkerSession) {
    guard let (job, current) = held(lease, by: session), current.session === session else {
      session.notice.revoked.append(lease)
      return
    }
    renew(job, current)
  }

  func renew(_ job: Job, _ lease: JobLease) {
    lease.expiresMs = nowMs + configuration.leaseMs
    if lease.expiresMs < lease.timerDueMs {
      lease.timerDueMs = lease.expiresMs
      setTimer(.lease, job.id.rawValue, dueMs: lease.timerDueMs)
    }
  }

  /// Their timers fire as before, and are set anew then.
  func excuseSilence() {
    for job in jobs.values {
      guard let lease = job.lease else { continue }
      lease.expiresMs = max(lease.expiresMs, nowMs + configuration.reattachGraceMs)
    }
  }

  /// The lease's timer fired: it may have been renewed since it was set.
  func checkLease(_ job: Job, _ lease: JobLease) {
    guard lease.expiresMs <= nowMs else {
      lease.timerDueMs = lease.expiresMs
      return setTimer(.lease, job.id.rawValue, dueMs: lease.timerDueMs)
    }
    if let session = lease.session {
      counters.leasesExpired += 1
      revoke(job, lease)
      // A wedged worker would lose job after job; it gets none until it moves, or for one lease.
      rest(session, ms: configuration.leaseMs)
    }
    lose(job, lease)
  }

  /// The attempt is spent. If the worker died or showed no progress, the job may be to blame; of a
  /// lease from before a restart, which nobody came back with, nothing of the kind is known.
  func lose(_ job: Job, _ lease: JobLease) {
    counters.leasesLost += 1
    job.lostBy[lease.attempt] = lease.workerID
    let blamesJob = lease.epoch != nil
    let message =
      blamesJob
      ? "worker \"\(lease.workerID)\" was lost, or made no progress in time"
      : "the queue restarted, and worker \"\(lease.workerID)\" did not come back with the job"
    endAttempt(job, lease, .lost, code: StatusCode.unavailable.rawValue, message: message)
    if blamesJob { job.record.state.workersLost += 1 }
    job.record.state.attemptsSpent += 1
    let lost = job.record.state.workersLost
    if lost >= configuration.workersLostMax {
      finish(
        job, .dead, code: .internal,
        message: "poison: \(lost) workers were lost while they worked on it; the last was "
          + "\"\(lease.workerID)\"")
    } else {
      retry(job, code: StatusCode.unavailable.rawValue, message: message, retryAfterMs: nil)
    }
  }

  /// The worker drops the job, unanswered.
  func revoke(_ job: Job, _ lease: JobLease) {
    guard let session = lease.session, let leaseEpoch = lease.epoch else { return }
    session.notice.revoked.append(
      Lease(job: job.id, attempt: lease.attempt, epoch: leaseEpoch))
    touch(session)
  }
}
