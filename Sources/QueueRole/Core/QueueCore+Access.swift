import Ledger
import RerankdProtocol

/// What the keys of workers mean here.
extension QueueCore {
  /// A worker whose key was revoked cannot come back with what it holds, so its jobs do not wait for
  /// it, and their attempts are not spent.
  func endRevoked(_ call: CallRef) {
    if case .worker(let session) = calls[call] {
      session.isDraining = true
      for id in session.held.sorted() {
        guard let job = jobs[id], let lease = job.lease else { continue }
        counters.released += 1
        endAttempt(job, lease, .released)
        makeReady(job, sinceMs: job.readySinceMs)
        change(job)
      }
    }
    end(call)
  }

  /// Whether a worker is believed that it once had this lease.
  ///
  /// With keys, of leases that it lost to its silence alone: job ids, attempts and epochs can be
  /// guessed, and a worker is not to end jobs that it was never given. What it held before the
  /// queue's restart it lists when it comes back. Without keys everybody is believed whose numbers
  /// can be right.
  func hadOnce(_ lease: Lease, of job: Job, _ session: WorkerSession) -> Bool {
    guard session.request.keyName == nil else {
      return lease.epoch == epoch && job.lostBy[lease.attempt] == session.workerID
    }
    return lease.attempt > 0
      && (lease.epoch < epoch
        || (lease.epoch == epoch && lease.attempt <= job.record.state.attempt))
  }
}
