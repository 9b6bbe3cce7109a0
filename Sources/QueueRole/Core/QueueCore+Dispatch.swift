import Ledger
import RerankdProtocol

/// Who gets what: ready jobs to workers. Models take turns, one job each; so do the tenants of a
/// model. Jobs of a model whose backend is not open, or that no worker serves, go to the workers of
/// its fallbacks, where they allow it.
extension QueueCore {
  /// How many tenants whose first job fits nowhere are passed over in one turn.
  private static var lanesPassedMax: Int { 8 }

  func wake(_ model: Model) {
    // What is there for its workers may be jobs of other models.
    let others = model.standsInFor.filter {
      $0.diverted.laneCount > 0 || $0.divertible.laneCount > 0
    }
    if !model.servedItselfLast { enqueue(model) }
    for other in others { enqueue(other) }
    enqueue(model)
  }

  private func enqueue(_ model: Model) {
    guard !model.isWaitingForDispatch else { return }
    model.isWaitingForDispatch = true
    modelsToDispatch.append(model)
  }

  func dispatch() {
    while let backend = backendsToGrant.popFirst() { grantPermits(of: backend) }
    while let model = modelsToDispatch.popFirst() {
      model.isWaitingForDispatch = false
      if !isPaused, assignNext(of: model) { wake(model) }
    }
    while let channel = channelsToDispatch.popFirst() {
      channel.isWaitingForDispatch = false
      deliver(from: channel)
    }
  }

  /// Whether a job was assigned, and another may be.
  private func assignNext(of model: Model) -> Bool {
    if model.diverted.laneCount > 0,
      divert(from: \.diverted, of: model, to: openFallback(of: model) ?? model)
    {
      return true
    }
    let isUnserved = unservedAtMs(model).map { $0 <= nowMs } ?? false
    guard handsOut(model.backend), !isUnserved else {
      return divert(from: \.divertible, of: model, to: openFallback(of: model))
    }
    if assignSetAside(of: model) { return true }
    guard bestAvailable(for: model) != nil else { return false }
    for _ in 0...Self.lanesPassedMax {
      guard let (lane, job) = model.ready.takeLane() else { return false }
      let session = worker(for: job, of: model)
      guard session != nil || model.setAside == nil else {
        model.ready.putBack(lane)
        continue
      }
      model.ready.removeFirst(of: lane)
      if job.mayFallBack { model.divertible.forget(job) }
      job.readyKey = nil
      model.ready.putBack(lane)
      if let session {
        assign(job, to: session, as: model)
        return true
      }
      model.setAside = job
      reserveWorker(for: job)
    }
    return false
  }

  /// Whether a job may go out to its models' workers: all that come, or the next one that probes.
  private func handsOut(_ backend: Backend) -> Bool {
    guard !backend.isPaused else { return false }
    switch backend.health {
    case .open: return true
    case .probing(let probe, _): return probe.job == nil
    case .resting, .credentialsRefused: return false
    }
  }

  private func openFallback(of model: Model) -> Model? {
    model.fallbacks.first { $0.backend.isOpen && !$0.workers.isEmpty }
  }

  /// Whether a job of one of the model's queues for diversions was assigned to the target's
  /// workers.
  private func divert(
    from queue: ReferenceWritableKeyPath<Model, ReadyQueue>, of model: Model, to target: Model?
  ) -> Bool {
    guard model[keyPath: queue].laneCount > 0, let target, handsOut(target.backend),
      bestAvailable(for: target) != nil
    else { return false }
    for _ in 0...Self.lanesPassedMax {
      guard let (lane, job) = model[keyPath: queue].takeLane() else { return false }
      guard let session = worker(for: job, of: target) else {
        model[keyPath: queue].putBack(lane)
        continue
      }
      model[keyPath: queue].removeFirst(of: lane)
      if queue == \.divertible { model.ready.forget(job) }
      job.readyKey = nil
      model[keyPath: queue].putBack(lane)
      assign(job, to: session, as: target)
      return true
    }
    return false
  }

  private func assignSetAside(of model: Model) -> Bool {
    guard let job = model.setAside else { return false }
    var chosen = worker(for: job, of: model)
    if let reserved = reservedSession(for: job) {
      if reserved.hasRoom(forBytes: job.bodyBytes) { chosen = reserved }
    } else if chosen == nil {
      reserveWorker(for: job)
    }
    guard let chosen else { return false }
    clearSetAside(model)
    assign(job, to: chosen, as: model)
    return true
  }

  /// The least loaded worker whose credit covers the job.
  private func worker(for job: Job, of model: Model) -> WorkerSession? {
    guard let best = bestAvailable(for: model) else { return nil }
    if case .probing(let probe, _) = model.backend.health, let only = probe.session {
      return sessions[only].flatMap { session in
        let serves = session.models.contains { $0 === model }
        let hasRoom = isAvailable(session) && session.hasRoom(forBytes: job.bodyBytes)
        return serves && hasRoom ? session : nil
      }
    }
    if best.hasRoom(forBytes: job.bodyBytes) { return best }
    return model.workers
      .filter { isAvailable($0) && $0.hasRoom(forBytes: job.bodyBytes) }
      .min { $0.held.count * $1.request.creditJobs < $1.held.count * $0.request.creditJobs }
  }

  private func bestAvailable(for model: Model) -> WorkerSession? {
    while let entry = model.available.top {
      if let session = sessions[entry.session], session.rankVersion == entry.version,
        isAvailable(session)
      {
        return session
      }
      model.available.pop()
    }
    return nil
  }

  private func reservedSession(for job: Job) -> WorkerSession? {
    guard let number = job.model.reservedSession, let session = sessions[number],
      session.reservedFor == job.id
    else { return nil }
    return session
  }

  /// The worker that will have room soonest, as far as one can tell, gets nothing else until then:
  /// else small jobs would fill every gap before the large one fits.
  private func reserveWorker(for job: Job) {
    let bytes = job.bodyBytes
    let chosen = job.model.workers
      .filter { $0.isOpen(at: nowMs) && $0.reservedFor == nil }
      .max { left, right in
        let leftFits = left.request.creditBytes >= bytes
        let rightFits = right.request.creditBytes >= bytes
        if leftFits != rightFits { return rightFits }
        return leftFits ? left.freeBytes < right.freeBytes : left.held.count > right.held.count
      }
    guard let chosen else { return }
    chosen.reservedFor = job.id
    job.model.reservedSession = chosen.number
    rank(chosen)
  }

  func clearSetAside(_ model: Model) {
    guard let job = model.setAside else { return }
    let reserved = reservedSession(for: job)
    model.setAside = nil
    model.reservedSession = nil
    if let reserved {
      reserved.reservedFor = nil
      refresh(reserved)
    }
    wake(model)
  }

  /// A ready job that is moved back among the others: nobody need make room for it while its
  /// backend takes nothing.
  func putBackSetAside(_ model: Model) {
    guard let job = model.setAside else { return }
    clearSetAside(model)
    queue(job)
  }

  /// - Parameter model: who is to score: the job's own model, or a fallback.
  private func assign(_ job: Job, to session: WorkerSession, as model: Model) {
    job.isDiverted = false
    job.record.state.attempt += 1
    let lease = JobLease(
      attempt: job.record.state.attempt, workerID: session.workerID, model: model, epoch: epoch,
      assignedMs: nowMs, holder: .session(session), expiresMs: nowMs + configuration.leaseMs)
    self.lease(job, lease)
    job.record.state.workerID = session.workerID
    job.record.state.leasedAtMs = wallMs
    change(job)
    session.held.insert(job.id)
    session.heldBytes += job.bodyBytes
    session.nextModel = (session.models.firstIndex { $0 === model } ?? 0) + 1
    rank(session)
    session.orders.append(
      AssignmentOrder(
        lease: Lease(job: job.id, attempt: lease.attempt, epoch: epoch), model: model.name,
        tenant: job.record.tenant, remainingMs: max(job.deadlineMs - nowMs, 0),
        bodyBytes: job.bodyBytes, traceparent: job.record.traceparent,
        hasPartialScores: job.partialScoresAttempt > 0, waitedMs: nowMs - job.readySinceMs))
    touch(session)
    if case .probing(var probe, let reason) = model.backend.health {
      probe.job = job.id
      model.backend.health = .probing(probe, reason: reason)
    }
    counters.assigned += 1
    model.servedItselfLast = model === job.model
    if model !== job.model { counters.fallbacks += 1 }
  }
}

/// The end of every `apply`.
extension QueueCore {
  /// Writes each touched job once, then tells workers and consumers.
  func flush() {
    for job in changedJobs {
      job.isChanged = false
      if let body = job.newBody {
        job.newBody = nil
        insert(job, body)
      } else {
        effects.append(.write(.updateJob(job.id, job.record.state)))
      }
    }
    changedJobs.removeAll(keepingCapacity: true)
    for session in touchedSessions { tell(session) }
    touchedSessions.removeAll(keepingCapacity: true)
    for consumer in touchedConsumers { tell(consumer) }
    touchedConsumers.removeAll(keepingCapacity: true)
  }

  private func insert(_ job: Job, _ body: [UInt8]) {
    guard job.record.bodyChunks > 0 else {
      return effects.append(.write(.insertJob(job.record, body: body)))
    }
    let chunkBytes = configuration.bodyChunkBytes
    for index in 0..<job.record.bodyChunks {
      let start = Int(index) * chunkBytes
      let chunk = Array(body[start..<min(start + chunkBytes, body.count)])
      effects.append(.write(.putBodyChunk(job.id, index: index, chunk)))
    }
    effects.append(.write(.insertJob(job.record, body: nil)))
  }

  private func tell(_ session: WorkerSession) {
    session.isTouched = false
    // A fenced session is beyond telling.
    guard sessions[session.number] != nil else { return }
    if session.notice != WorkerNotice() {
      effects.append(.workerNotice(session.call, session.notice))
      session.notice = WorkerNotice()
    }
    if !session.orders.isEmpty {
      effects.append(.assign(session.call, session.orders))
      session.orders.removeAll(keepingCapacity: true)
    }
    if session.isDraining, session.held.isEmpty {
      calls[session.call] = nil
      depart(session)
      effects.append(.finish(session.call))
    }
  }

  private func tell(_ consumer: Consumer) {
    consumer.isTouched = false
    if !consumer.recorded.isEmpty {
      effects.append(.deliveriesRecorded(consumer.call, consumer.recorded))
      consumer.recorded.removeAll(keepingCapacity: true)
    }
    if !consumer.orders.isEmpty {
      effects.append(.deliver(consumer.call, consumer.orders))
      consumer.orders.removeAll(keepingCapacity: true)
    }
  }
}
