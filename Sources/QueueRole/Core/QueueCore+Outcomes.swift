import Ledger
import RerankdProtocol

/// How attempts end, and what that makes of their jobs.
extension QueueCore {
  /// A worker's word on one lease. It is acknowledged whatever it changes, so that the worker
  /// forgets.
  func take(_ end: WorkEnd, of lease: Lease, from session: WorkerSession) {
    session.notice.recorded.append(lease.job)
    switch end {
    case .completed(let result):
      session.succeeded += 1
      counters.attemptsSucceeded += 1
      complete(lease, result, by: session)
    case .failed(let failure):
      session.failed += 1
      counters.attemptsFailed += 1
      guard let (job, current) = held(lease, by: session) else {
        counters.supersededOutcomes += 1
        return
      }
      fail(job, current, failure)
    }
  }

  private func complete(_ lease: Lease, _ result: [UInt8], by session: WorkerSession) {
    if let (job, current) = held(lease, by: session) {
      let isProbe = isProbe(job, current)
      endAttempt(job, current, .succeeded, result: result)
      job.record.state.attemptsSpent += 1
      current.model.retryBudget.recordSuccess()
      finish(job, .succeeded, result: result)
      if isProbe { open(current.model.backend) }
    } else if let job = jobs[lease.job], hadOnce(lease, of: job, session) {
      completeLate(job, lease, result, by: session)
    } else {
      counters.supersededOutcomes += 1
    }
  }

  /// A result of an attempt that was given up is as good as any: scoring is pure, and paid for. The
  /// row of that attempt stands already, so the success gets a number of its own; whoever works on
  /// the job now drops it.
  private func completeLate(
    _ job: Job, _ lease: Lease, _ result: [UInt8], by session: WorkerSession
  ) {
    counters.supersededOutcomes += 1
    if let current = job.lease {
      endAttempt(
        job, current, .cancelled, code: StatusCode.aborted.rawValue,
        message: "a late result of attempt \(lease.attempt) ended the job")
      revoke(job, current)
    }
    job.record.state.attempt += 1
    job.record.state.attemptsSpent = min(
      job.record.state.attemptsSpent + 1, job.record.maxAttempts)
    let row = AttemptRow(
      jobID: job.id, attempt: job.record.state.attempt, workerID: session.workerID,
      startedMs: wallMs, endedMs: wallMs, end: .succeeded,
      message: "late result of attempt \(lease.attempt)", result: result)
    effects.append(.write(.insertAttempt(row)))
    finish(job, .succeeded, result: result)
  }

  private func fail(_ job: Job, _ lease: JobLease, _ failure: WorkFailure) {
    let isProbe = isProbe(job, lease)
    let backend = lease.model.backend
    endAttempt(job, lease, .failed, code: failure.code, message: failure.message)
    keepPartialScores(failure, of: job, attempt: lease.attempt)
    job.isDiverted = failure.fault != .none && job.mayFallBack
    if failure.isUnspent { return giveBack(job, failure, by: backend) }
    job.record.state.attemptsSpent += 1
    if failure.retryable {
      lease.model.retryBudget.recordFailure()
      retry(
        job, code: failure.code, message: failure.message, retryAfterMs: failure.retryAfterMs)
    } else {
      finish(job, .dead, code: failure.code, message: failure.message)
    }
    // Of a backend without permits this is the only sign of life.
    if isProbe, !backend.isDeclared { open(backend) }
  }

  /// The attempt is not spent, for its backend took nothing. The job waits until it does; if that
  /// should be so now, for a moment, lest it goes to and fro.
  private func giveBack(_ job: Job, _ failure: WorkFailure, by backend: Backend) {
    // Of a declared one the reports on its permits have told.
    if !backend.isDeclared {
      rest(backend, atLeastMs: failure.retryAfterMs, reason: failure.message)
    }
    if backend.isClosed || job.isDiverted {
      makeReady(job, sinceMs: job.readySinceMs)
    } else {
      delay(job, untilMs: nowMs + max(failure.retryAfterMs ?? 0, configuration.releaseRestMs, 1))
    }
    change(job)
  }

  private func keepPartialScores(_ failure: WorkFailure, of job: Job, attempt: UInt32) {
    if failure.hasDroppedScores { counters.partialScoresDropped += 1 }
    guard let scores = failure.partialScores, failure.retryable || failure.isUnspent else { return }
    job.partialScoresAttempt = attempt
    counters.partialScoresKept += 1
    effects.append(.write(.putPartialScores(job.id, attempt: attempt, scores)))
  }

  /// Whether the backend looks by this very job whether it is back.
  private func isProbe(_ job: Job, _ lease: JobLease) -> Bool {
    if case .probing(let probe, _) = lease.model.backend.health {
      probe.job == job.id
    } else {
      false
    }
  }

  /// The attempt that just ended was spent. Another follows if the job has one left and time for
  /// it.
  /// - Parameters:
  ///   - code: with `message`, why the attempt failed: what the job ends with if it was the last.
  func retry(_ job: Job, code: UInt32, message: String, retryAfterMs: Int64?) {
    let spent = job.record.state.attemptsSpent
    guard spent < job.record.maxAttempts else {
      return finish(job, .dead, code: code, message: message)
    }
    let delayMs = retryPolicy.delayMs(
      attempt: spent, isBudgetSpent: job.model.retryBudget.isSpent, retryAfterMs: retryAfterMs,
      random: &random)
    guard nowMs + delayMs < job.deadlineMs else {
      return finish(
        job, .dead, code: .deadlineExceeded,
        message: "the next attempt would be \(delayMs) ms from now, beyond the deadline; the last "
          + "one failed: \(message)")
    }
    counters.retried += 1
    delay(job, untilMs: nowMs + delayMs)
    change(job)
  }

  /// Given back: as if the attempt had not been, but for its row.
  func release(_ lease: Lease, by session: WorkerSession) {
    session.notice.recorded.append(lease.job)
    guard let (job, current) = held(lease, by: session) else { return }
    counters.released += 1
    endAttempt(job, current, .released)
    makeReady(job, sinceMs: job.readySinceMs)
    change(job)
    if configuration.releaseRestMs > 0, !session.isDraining {
      rest(session, ms: configuration.releaseRestMs)
    }
  }

  /// Ends a job that no worker ended: cancelled or expired.
  func abandon(_ job: Job, _ state: JobState, code: StatusCode, message: String) {
    if let lease = job.lease {
      endAttempt(job, lease, .cancelled, code: code.rawValue, message: message)
      revoke(job, lease)
    }
    finish(job, state, code: code, message: message)
  }
}
