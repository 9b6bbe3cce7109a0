import Ledger
import RerankdProtocol

/// How a job moves between its phases. Each move keeps the counts, the indexes and the record in
/// step, and is written by `flush`.
extension QueueCore {
  func makeReady(_ job: Job, sinceMs: Int64) {
    leave(job)
    job.phase = .ready
    job.readySinceMs = sinceMs
    job.record.state.state = .ready
    job.record.state.readyAtMs = 0
    job.depth.ready += 1
    job.model.becameReady(job)
    queue(job)
  }

  /// Of a ready job that is in no queue.
  func queue(_ job: Job) {
    let model = job.model
    job.readyKey =
      job.readySinceMs - Int64(job.record.priority) * configuration.ageingMsPerPriority
    job.readyVersion += 1
    if job.isDiverted {
      model.diverted.push(job)
    } else {
      model.ready.push(job)
      if job.mayFallBack { model.divertible.push(job) }
    }
    wake(model)
  }

  private func unqueue(_ job: Job) {
    if job.isDiverted { return job.model.diverted.forget(job) }
    job.model.ready.forget(job)
    if job.mayFallBack { job.model.divertible.forget(job) }
  }

  func delay(_ job: Job, untilMs: Int64) {
    leave(job)
    job.phase = .delayed(untilMs: untilMs)
    job.record.state.state = .delayed
    job.record.state.readyAtMs = wallMs + (untilMs - nowMs)
    job.depth.delayed += 1
    setTimer(.ready, job.id.rawValue, dueMs: untilMs)
  }

  func lease(_ job: Job, _ lease: JobLease) {
    leave(job)
    job.phase = .leased(lease)
    job.record.state.state = .leased
    job.record.state.readyAtMs = 0
    job.depth.leased += 1
    setTimer(.lease, job.id.rawValue, dueMs: lease.timerDueMs)
  }

  /// Takes the job out of its phase. A lease gives back its worker's credit.
  private func leave(_ job: Job) {
    switch job.phase {
    case .delayed: job.depth.delayed -= 1
    case .ready:
      job.depth.ready -= 1
      if job.model.setAside === job {
        clearSetAside(job.model)
      } else if job.readyKey != nil {
        unqueue(job)
      }
      job.readyKey = nil
    case .leased(let lease):
      job.depth.leased -= 1
      job.record.state.workerID = nil
      job.record.state.leasedAtMs = 0
      endLease(job, lease)
    case .ended: break
    }
    job.phase = .ended
  }

  private func endLease(_ job: Job, _ lease: JobLease) {
    switch lease.holder {
    case .session(let session):
      session.held.remove(job.id)
      session.heldBytes -= job.bodyBytes
      dropWaiting(of: job.id, in: session)
      refresh(session)
      touch(session)
    case .departed:
      departed[lease.workerID]?.jobs.remove(job.id)
      if departed[lease.workerID]?.jobs.isEmpty == true { departed[lease.workerID] = nil }
    }
    let backend = lease.model.backend
    if case .probing(var probe, let reason) = backend.health, probe.job == job.id {
      probe.job = nil
      backend.health = .probing(probe, reason: reason)
      wakeAll(of: backend)
    }
  }

  /// The job's last step: its outcome is on its way to whoever asked for it, and the core forgets
  /// it.
  /// - Parameter result: with SUCCEEDED, the serialized RerankResult.
  func finish(
    _ job: Job, _ state: JobState, code: StatusCode = .ok, message: String = "",
    result: [UInt8] = []
  ) {
    finish(job, state, code: code.rawValue, message: message, result: result)
  }

  func finish(
    _ job: Job, _ state: JobState, code: UInt32, message: String, result: [UInt8] = []
  ) {
    recordLatencies(job)
    leave(job)
    if job.depth.isEmpty { job.model.forget(job.depth) }
    job.record.state.state = state
    job.record.state.readyAtMs = 0
    job.record.state.endCode = code
    job.record.state.endMessage = state == .succeeded ? nil : message
    change(job)
    jobs[job.id] = nil
    if let key = job.record.idempotencyKey {
      jobsByKey[TenantName(tenant: job.record.tenant, name: key)] = nil
    }
    discharge(job.tenant, bytes: job.bodyBytes)
    if job.partialScoresAttempt > 0 { effects.append(.write(.dropPartialScores(job.id))) }
    count(state)
    if !job.waiters.isEmpty {
      let outcome = JobOutcome(job.record, result: result)
      for call in job.waiters {
        calls[call] = nil
        effects.append(.answer(call, outcome))
      }
      job.waiters = []
    }
    if let endpoint = job.record.replyTo {
      effects.append(.push(endpoint: endpoint, OutcomeOrder(job.record)))
    }
    effects.append(.forgetBody(job.id))
    if job.record.replyChannel != nil {
      addDelivery(job.record, bytes: result.count)
    } else if state == .succeeded {
      effects.append(.forgetResult(job.id))
    }
  }

  private func recordLatencies(_ job: Job) {
    job.model.latencies.record(totalMs: nowMs - job.submittedMs)
    guard let assignedMs = job.lease?.assignedMs else { return }
    job.model.latencies.record(
      waitingMs: assignedMs - job.readySinceMs, scoringMs: nowMs - assignedMs)
  }

  private func count(_ state: JobState) {
    switch state {
    case .succeeded: counters.succeeded += 1
    case .dead: counters.dead += 1
    case .cancelled: counters.cancelled += 1
    case .expired: counters.expired += 1
    default: break
    }
  }

  /// Writes the row of an attempt that ended. The job is leased, and leaves that phase next.
  func endAttempt(
    _ job: Job, _ lease: JobLease, _ end: AttemptEnd, code: UInt32 = 0, message: String = "",
    result: [UInt8]? = nil
  ) {
    let row = AttemptRow(
      jobID: job.id, attempt: lease.attempt, workerID: lease.workerID,
      startedMs: job.record.state.leasedAtMs, endedMs: wallMs, end: end, code: code,
      message: message, result: result)
    effects.append(.write(.insertAttempt(row)))
  }

  /// The job's row is written at the end of this `apply`, in whatever state it is then.
  func change(_ job: Job) {
    job.record.state.updatedMs = wallMs
    guard !job.isChanged else { return }
    job.isChanged = true
    changedJobs.append(job)
  }
}
