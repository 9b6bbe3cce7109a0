import Ledger
import RerankdProtocol
import SwiftProtobuf

/// What operators ask, and what producers ask about models.
extension QueueCore {
  /// Name of the ledger setting that holds an operator's pause: it outlives a restart, since
  /// whoever paused the queue did not mean "until it crashes".
  static var pausedSetting: String { "paused" }
  static var drainingSetting: String { "draining" }

  func listModels(_ call: CallRef) {
    var response = ListModelsResponse()
    response.shard = UInt32(shard)
    response.models = models.compactMap { model in
      model.catalogued.map { ModelInfo($0, workers: model.workers.count) }
    }
    effects.append(.answer(call, response))
  }

  func status(_ call: CallRef) {
    effects.append(.answer(call, makeStatus()))
  }

  func makeStatus() -> StatusResponse {
    var response = StatusResponse()
    response.version = configuration.version
    response.shard = UInt32(shard)
    response.epoch = epoch
    response.uptimeMs = UInt64(max(nowMs - startedMs, 0))
    response.paused = isPaused
    response.models = models.map { status(of: $0) }
    response.counters = counters
    response.counters.bareRejected += shellCounters.bareRejectedMalformed
    response.counters.pushRepliesSent = shellCounters.pushRepliesSent
    response.counters.pushRepliesDropped = shellCounters.pushRepliesDropped
    response.counters.malformedMessages = shellCounters.malformedMessages
    response.counters.permissionDenied = shellCounters.permissionDenied
    response.ledger = ledgerWithBackup
    response.workers = UInt32(sessions.count)
    response.liveBytes = UInt64(max(admittedBytes, 0))
    response.backends = backends.filter(\.isDeclared).map { status(of: $0) }
    response.draining = isDraining
    response.latencies = models.compactMap { $0.latencies.summary(model: $0.name) }
    forgetSilentSupervisors()
    response.supervisors = knownSupervisors.map { status(of: $0) }
    return response
  }

  private func status(of model: Model) -> ModelStatus {
    var status = ModelStatus()
    if let catalogued = model.catalogued {
      status.model = ModelInfo(catalogued, workers: model.workers.count)
    } else {
      status.model.name = model.name
    }
    status.delayed = UInt64(model.delayedCount)
    status.ready = UInt64(model.readyCount)
    status.leased = UInt64(model.leasedCount)
    status.priorities = model.depths.values.filter { !$0.isEmpty }
      .sorted { $0.priority > $1.priority }
      .prefix(configuration.prioritiesListedMax).map(\.message)
    status.oldestReadyMs = model.oldestReadySinceMs.map { UInt64(max(nowMs - $0, 0)) } ?? 0
    let backend = model.backend
    status.pausedMs = UInt64(max((backend.restEndsMs ?? nowMs) - nowMs, 0))
    if model.catalogued == nil {
      status.pauseReason = "not in the catalogue any more"
    } else if case .probing(_, let reason) = backend.health, !backend.isPaused {
      status.pauseReason = "one job at a time, to see whether this is over: \(reason)"
    } else {
      status.pauseReason = backend.reason
    }
    return status
  }

  /// Of the attached workers together.
  var creditJobs: Int { sessions.values.reduce(0) { $0 + Int($1.request.creditJobs) } }
  var heldJobs: Int { sessions.values.reduce(0) { $0 + $1.held.count } }

  func listWorkers(_ call: CallRef) {
    var response = ListWorkersResponse()
    response.workers = sessions.values.sorted { $0.workerID < $1.workerID }.map(info)
    effects.append(.answer(call, response))
  }

  private func info(of session: WorkerSession) -> WorkerInfo {
    let heardMs = workerPeers[session.call.peer]?.heardMs ?? session.attachedMs
    var info = WorkerInfo()
    info.workerID = session.workerID
    info.host = session.request.host
    info.processID = session.request.processID
    info.version = session.request.version
    info.models = session.models.map(\.name)
    info.creditJobs = UInt32(clamping: session.request.creditJobs)
    info.creditBytes = UInt64(clamping: session.request.creditBytes)
    info.heldJobs = UInt32(clamping: session.held.count)
    info.heldBytes = UInt64(clamping: session.heldBytes)
    info.attachedMs = UInt64(max(nowMs - session.attachedMs, 0))
    info.silentMs = UInt64(max(nowMs - heardMs, 0))
    info.draining = session.isDraining
    info.paused = session.isPaused
    info.succeeded = session.succeeded
    info.failed = session.failed
    info.keyName = session.request.keyName ?? ""
    return info
  }

  /// Resuming also ends the rests of backends; one that an operator paused stays paused.
  func setPaused(_ call: CallRef, _ paused: Bool) {
    isPaused = paused
    effects.append(.write(.putSetting(name: Self.pausedSetting, value: paused ? "true" : "false")))
    if !paused {
      for backend in backends { open(backend) }
    }
    effects.append(.answer(call, SetPausedResponse()))
  }

  /// Nothing new is taken in, across restarts too, for whoever drains a queue means to end it.
  func setDraining(_ call: CallRef, _ draining: Bool) {
    isDraining = draining
    effects.append(
      .write(.putSetting(name: Self.drainingSetting, value: draining ? "true" : "false")))
    effects.append(.answer(call, SetDrainingResponse()))
  }

  /// A call ended before its answer, or a stream did.
  func end(_ call: CallRef) {
    guard let open = calls.removeValue(forKey: call) else { return }
    switch open {
    case .batch(let batch): batch.isCallOpen = false
    case .admission(let admission):
      if case .rerank(_, cancelWithCall: true) = admission.origin { admission.isWithdrawn = true }
      admission.origin = .nobody
    case .outcome(let id):
      guard let job = jobs[id] else { return }
      job.waiters.removeAll { $0 == call }
      if job.owner == call {
        abandon(
          job, .cancelled, code: .cancelled, message: "the call that submitted it ended early")
      }
    case .read: break
    case .consumer(let consumer): end(consumer)
    case .worker(let session): depart(session)
    }
  }
}

/// Bringing back jobs that ended without success.
extension QueueCore {
  func retryJobs(_ call: CallRef, _ ids: [JobID]) {
    let batch = JobBatch(
      call: call, Array(repeating: SubmitOutcome(), count: ids.count)
    ) { outcomes in
      RetryJobsResponse.with { $0.outcomes = outcomes }
    }
    if ids.isEmpty { return effects.append(.answer(call, RetryJobsResponse())) }
    calls[call] = .batch(batch)
    for (index, id) in ids.enumerated() {
      if id.shard == shard {
        changesUnderWay += 1
        effects.append(.write(.spareJob(id, true)))
        read(
          .job(id, withRequest: false, withAttempts: false), for: .retry(batch, index: index, id))
      } else {
        settle(batch, index) { $0.error = unknownJob(id).status }
      }
    }
  }

  func settle(
    _ batch: JobBatch<SubmitOutcome>, _ index: Int, retry id: JobID, _ result: LedgerReadResult
  ) {
    switch result {
    case .job(let stored?):
      if let error = refusal(ofRetry: stored.record) {
        settle(batch, index) { $0.error = error.status }
      } else {
        revive(stored.record)
        settle(batch, index) { $0.jobID = id.rawValue }
      }
    case .job(nil): settle(batch, index) { $0.error = unknownJob(id).status }
    case .failed(let message): settle(batch, index) { $0.error = unreadable(message).status }
    default: settle(batch, index) { $0.error = unreadable("it answered something else").status }
    }
  }

  private func refusal(ofRetry record: JobRecord) -> CallError? {
    // Memory knows better than the read: the job may have been brought back since.
    let state = jobs[record.id]?.record.state.state ?? record.state.state
    guard state == .dead || state == .cancelled || state == .expired else {
      return CallError(
        .failedPrecondition,
        "job \(record.id) is \(state): only dead, cancelled and expired jobs "
          + "can be retried",
        reason: "JOB_STATE", resource: "\(record.id)")
    }
    guard modelsByName[record.model]?.catalogued != nil else { return unknownModel(record.model) }
    return refusal(tenant: record.tenant, bytes: Int64(clamping: record.bodyBytes), channel: nil)
  }

  /// The job is ready once more, with all its attempts to spend, as long to live as at first, and
  /// its attempts numbered on: one number is passed over, so that the next outcome has another one
  /// than the last, even when the job ends before it is assigned again.
  private func revive(_ ended: JobRecord) {
    guard let model = modelsByName[ended.model] else { return }
    noteChange(of: ended.id)
    if let delivery = deliveries[ended.id] { withdraw(delivery) }
    var record = ended
    record.state = JobStateRecord(
      state: .ready, deadlineMs: wallMs + ended.deadlineAfterMs, attempt: ended.state.attempt + 1,
      updatedMs: wallMs)
    let tenant = charge(tenant: record.tenant, bytes: Int(clamping: record.bodyBytes))
    let job = Job(
      record: record, model: model, tenant: tenant, phase: .ended,
      deadlineMs: nowMs + ended.deadlineAfterMs, submittedMs: nowMs)
    enter(job)
    makeReady(job, sinceMs: nowMs)
    // Written here, for the ledger lets an ended job become ready, and nothing else.
    effects.append(.write(.updateJob(job.id, job.record.state)))
  }
}
