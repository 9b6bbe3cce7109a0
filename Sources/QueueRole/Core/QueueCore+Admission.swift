import AccessKeys
import Ledger
import RerankdProtocol
import SwiftProtobuf

/// Which jobs are let in, and that one key is one job.
extension QueueCore {
  func submit(_ call: CallRef, _ submissions: [Submission]) {
    let batch = JobBatch(
      call: call, Array(repeating: SubmitOutcome(), count: submissions.count)
    ) { outcomes in
      SubmitResponse.with { $0.outcomes = outcomes }
    }
    for (index, submission) in submissions.enumerated() {
      admit(submission, .batch(batch, index: index))
    }
    if submissions.isEmpty { effects.append(.answer(call, SubmitResponse())) }
    if batch.remaining > 0 { calls[call] = .batch(batch) }
  }

  func rerank(_ call: CallRef, _ submission: Submission, cancelWithCall: Bool) {
    admit(submission, .rerank(call, cancelWithCall: cancelWithCall))
  }

  func takeBare(_ submission: Submission, excerpt: [UInt8]) {
    admit(submission, .bare(excerpt: excerpt))
  }

  private func admit(_ submission: Submission, _ origin: Admission.Origin) {
    let job: NewJob
    switch submission {
    case .refused(let error): return settle(origin, refused: error)
    case .valid(let valid): job = valid
    }
    guard modelsByName[job.model]?.catalogued != nil else {
      return settle(origin, refused: unknownModel(job.model))
    }
    // A key that is known is answered even when nothing new is taken in: it asks for nothing new.
    let key = job.idempotencyKey.map { TenantName(tenant: job.tenant, name: $0) }
    if let key, let existing = liveJob(key) {
      return settle(
        origin, existing: existing, sameHash: existing.record.payloadHash == job.payloadHash)
    }
    if isDraining, key == nil { return settle(origin, refused: draining) }
    if let refusal = refusal(of: job) { return settle(origin, refused: refusal) }
    tenantRates.count(job.tenant, limit: configuration.tenantJobsPerMinuteMax, nowMs: nowMs)
    let tenant = charge(tenant: job.tenant, bytes: job.body.count)
    let admission = Admission(job: job, origin: origin, tenant: tenant)
    guard let key else { return create(admission) }
    if case .rerank(let call, _) = origin { calls[call] = .admission(admission) }
    if let lookup = lookups[key] {
      lookup.waiting.append(admission)
    } else {
      let lookup = KeyLookup(key: key)
      lookup.waiting.append(admission)
      lookups[key] = lookup
      read(.key(tenant: key.tenant, key: key.name), for: .key(lookup))
    }
  }

  /// The ledger has answered whether a job with this key exists.
  func take(_ lookup: KeyLookup, _ result: LedgerReadResult) {
    lookups[lookup.key] = nil
    for admission in lookup.waiting {
      if case .rerank(let call, _) = admission.origin { calls[call] = nil }
      if admission.isWithdrawn {
        discharge(admission.tenant, bytes: admission.job.body.count)
      } else if let live = liveJob(lookup.key) {
        discharge(admission.tenant, bytes: admission.job.body.count)
        let sameHash = live.record.payloadHash == admission.job.payloadHash
        settle(admission.origin, existing: live, sameHash: sameHash)
      } else {
        settle(admission, keyed: result)
      }
    }
  }

  private func settle(_ admission: Admission, keyed result: LedgerReadResult) {
    if case .key(nil) = result, !isDraining { return create(admission) }
    discharge(admission.tenant, bytes: admission.job.body.count)
    switch result {
    case .key(nil): settle(admission.origin, refused: draining)
    case .key(let keyed?) where keyed.payloadHash == admission.job.payloadHash:
      counters.duplicates += 1
      settle(admission.origin, ended: keyed.id)
    case .key(let keyed?): settle(admission.origin, refused: otherPayload(keyed.id))
    case .failed(let message): settle(admission.origin, refused: unreadable(message))
    default: settle(admission.origin, refused: unreadable("it answered something else"))
    }
  }

  private func create(_ admission: Admission) {
    let new = admission.job
    guard let model = modelsByName[new.model] else { return }
    let id = JobID(shard: shard, sequence: nextSequence)
    nextSequence += 1
    let deadlineAfterMs = new.deadlineMs ?? configuration.deadlineDefaultMs
    let chunkBytes = configuration.bodyChunkBytes
    let chunks = new.body.count > chunkBytes ? (new.body.count - 1) / chunkBytes + 1 : 0
    let delayMs = max(new.notBeforeMs ?? 0, 0)
    let state = JobStateRecord(
      state: delayMs > 0 ? .delayed : .ready, deadlineMs: wallMs + deadlineAfterMs,
      readyAtMs: delayMs > 0 ? wallMs + delayMs : 0, updatedMs: wallMs)
    let record = JobRecord(
      id: id, model: new.model, tenant: new.tenant, priority: new.priority,
      idempotencyKey: new.idempotencyKey, payloadHash: new.payloadHash,
      replyChannel: new.replyChannel, replyTo: new.replyTo, traceparent: new.traceparent,
      maxAttempts: new.maxAttempts ?? configuration.attemptsDefault,
      allowFallback: new.allowFallback, submittedMs: wallMs, deadlineAfterMs: deadlineAfterMs,
      bodyBytes: UInt64(new.body.count),
      bodyChunks: UInt32(chunks), state: state)
    let job = Job(
      record: record, model: model, tenant: admission.tenant, phase: .ended,
      deadlineMs: nowMs + deadlineAfterMs, submittedMs: nowMs)
    job.newBody = new.body
    enter(job)
    if delayMs > 0 { delay(job, untilMs: nowMs + delayMs) } else { makeReady(job, sinceMs: nowMs) }
    change(job)
    counters.submitted += 1
    settle(admission.origin, created: job)
  }

  /// Makes a job known by its id and key, and watches its deadline. Its phase is the caller's.
  func enter(_ job: Job) {
    jobs[job.id] = job
    if let key = job.record.idempotencyKey {
      jobsByKey[TenantName(tenant: job.record.tenant, name: key)] = job.id
    }
    setTimer(.deadline, job.id.rawValue, dueMs: job.deadlineMs)
  }

  private func liveJob(_ key: TenantName) -> Job? {
    jobsByKey[key].flatMap { jobs[$0] }
  }
}

/// What becomes of an admission, for each way in.
extension QueueCore {
  func settle(_ origin: Admission.Origin, created job: Job) {
    switch origin {
    case .batch(let batch, let index):
      settle(batch, index) { $0.jobID = job.id.rawValue }
    case .rerank(let call, let cancelWithCall):
      wait(call, for: job)
      if cancelWithCall { job.owner = call }
    case .bare: counters.bareAccepted += 1
    case .nobody: break
    }
  }

  func settle(_ origin: Admission.Origin, refused error: CallError) {
    counters.refused += 1
    switch origin {
    case .batch(let batch, let index):
      settle(batch, index) { $0.error = error.status }
    case .rerank(let call, _): effects.append(.fail(call, error))
    case .bare(let excerpt):
      counters.bareRejected += 1
      let row = RejectRow(
        receivedMs: wallMs, code: error.code.rawValue, message: error.message, excerpt: excerpt)
      effects.append(.write(.insertReject(row)))
    case .nobody: break
    }
  }

  private func settle(_ origin: Admission.Origin, existing job: Job, sameHash: Bool) {
    guard sameHash else { return settle(origin, refused: otherPayload(job.id)) }
    counters.duplicates += 1
    if case .rerank(let call, _) = origin {
      wait(call, for: job)
    } else {
      settle(origin, duplicate: job.id)
    }
  }

  private func settle(_ origin: Admission.Origin, ended id: JobID) {
    if case .rerank(let call, _) = origin {
      read(
        .job(id, withRequest: false, withAttempts: false),
        for: .job(call, id, .outcome, of: .all), call: call)
    } else {
      settle(origin, duplicate: id)
    }
  }

  private func settle(_ origin: Admission.Origin, duplicate id: JobID) {
    switch origin {
    case .batch(let batch, let index):
      settle(batch, index) {
        $0.jobID = id.rawValue
        $0.duplicate = true
      }
    case .rerank, .nobody: break
    case .bare: counters.bareAccepted += 1
    }
  }

  /// Fills in one job's outcome, and answers the call with the last one.
  func settle<Outcome>(
    _ batch: JobBatch<Outcome>, _ index: Int, _ fill: (inout Outcome) -> Void
  ) {
    fill(&batch.outcomes[index])
    batch.remaining -= 1
    guard batch.remaining == 0, batch.isCallOpen else { return }
    calls[batch.call] = nil
    effects.append(.answer(batch.call, batch.answer(batch.outcomes)))
  }

  func wait(_ call: CallRef, for job: Job) {
    job.waiters.append(call)
    calls[call] = .outcome(job.id)
  }
}
