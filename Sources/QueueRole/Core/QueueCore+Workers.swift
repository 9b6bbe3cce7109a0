import Ledger
import RerankdProtocol

/// Workers coming, reporting, going.
extension QueueCore {
  func attach(_ call: CallRef, _ request: AttachRequest) {
    let served = request.models.compactMap { modelsByName[$0] }
    guard !served.isEmpty else {
      let names = request.models.joined(separator: ", ")
      let error = CallError(
        .notFound, "none of the worker's models is in the catalogue: \(names)",
        reason: "MODEL_UNKNOWN")
      return effects.append(.fail(call, error))
    }
    let former = sessionsByWorker[request.workerID]
    guard former != nil || sessions.count < configuration.workersMax else {
      let error = overload("\(sessions.count) workers are attached, the most that may", "WORKERS")
      return effects.append(.fail(call, error))
    }
    if let former { fence(former) }

    let session = WorkerSession(
      call: call, number: nextSessionNumber, request: request, models: unique(served),
      attachedMs: nowMs)
    session.isPaused = pausedWorkers.contains(session.workerID)
    nextSessionNumber += 1
    sessions[session.number] = session
    sessionsByWorker[session.workerID] = session
    workerPeers[call.peer, default: WorkerPeer(heardMs: nowMs)].sessions += 1
    workerPeers[call.peer]?.heardMs = nowMs
    calls[call] = .worker(session)
    for model in session.models {
      model.workers.append(session)
      model.unservedSinceMs = nil
    }

    var adopted: [JobID] = []
    for lease in request.held {
      if adopt(lease, by: session) {
        adopted.append(lease.job)
      } else {
        session.notice.revoked.append(lease)
        touch(session)
      }
    }
    effects.append(
      .attached(
        call,
        AttachedNotice(
          epoch: epoch, shard: shard, leaseMs: configuration.leaseMs,
          heartbeatMs: configuration.workerHeartbeatMs, adopted: adopted)))
    settleDeparted(session)
    refresh(session)
  }

  /// Whatever the worker still has under this lease is its own again.
  private func adopt(_ lease: Lease, by session: WorkerSession) -> Bool {
    guard let job = jobs[lease.job], let current = job.lease, current.session == nil,
      current.workerID == session.workerID, isCurrent(lease, current)
    else { return false }
    departed[session.workerID]?.jobs.remove(job.id)
    current.epoch = lease.epoch
    current.holder = .session(session)
    session.held.insert(job.id)
    session.heldBytes += job.bodyBytes
    renew(job, current)
    return true
  }

  /// The jobs that the worker had and does not list. A new process of that name shows that the
  /// former one died on them. The same process may have their outcomes on the way, and a process
  /// from before the queue's restart is not known: these wait for the rest of their grace.
  private func settleDeparted(_ session: WorkerSession) {
    guard let former = departed[session.workerID] else { return }
    let isSameProcess =
      former.processID == nil
      || (former.processID == session.request.processID && former.host == session.request.host)
    if !isSameProcess {
      for id in former.jobs.sorted() {
        if let job = jobs[id], let lease = job.lease { lose(job, lease) }
      }
    }
    if departed[session.workerID]?.jobs.isEmpty == true { departed[session.workerID] = nil }
  }

  /// Another session claims the worker's id: whoever attached last has it.
  private func fence(_ session: WorkerSession) {
    let error = CallError(
      .aborted, "worker \"\(session.workerID)\" attached anew; this session is over",
      reason: "WORKER_FENCED", resource: session.workerID)
    calls[session.call] = nil
    depart(session)
    effects.append(.fail(session.call, error))
  }

  /// The session is over. Its jobs wait for their worker to come back with them.
  func depart(_ session: WorkerSession) {
    let graceEndMs = nowMs + configuration.reattachGraceMs
    for id in session.held {
      guard let job = jobs[id], let lease = job.lease else { continue }
      lease.holder = .departed
      lease.expiresMs = min(lease.expiresMs, graceEndMs)
      if lease.expiresMs < lease.timerDueMs {
        lease.timerDueMs = lease.expiresMs
        setTimer(.lease, id.rawValue, dueMs: lease.timerDueMs)
      }
    }
    if !session.held.isEmpty {
      // An earlier departure's jobs may still wait here.
      let others = departed[session.workerID]?.jobs ?? []
      departed[session.workerID] = DepartedWorker(
        host: session.request.host, processID: session.request.processID,
        jobs: others.union(session.held))
    }
    remove(session)
  }

  /// No worker serves the model. Those that come back, or have only started, are waited for; then its
  /// jobs may go to fallbacks.
  func loseWorkers(of model: Model) {
    guard !model.fallbacks.isEmpty else { return }
    putBackSetAside(model)
    model.unservedSinceMs = nowMs
    setTimer(
      .modelUnserved, UInt64(model.index), dueMs: nowMs + configuration.reattachGraceMs)
  }

  /// When the model's jobs may go to fallbacks for want of workers; nil while it has some.
  func unservedAtMs(_ model: Model) -> Int64? {
    model.unservedSinceMs.map { $0 + configuration.reattachGraceMs }
  }

  private func remove(_ session: WorkerSession) {
    sessions[session.number] = nil
    endPermits(of: session)
    if sessionsByWorker[session.workerID] === session { sessionsByWorker[session.workerID] = nil }
    for model in session.models {
      model.workers.removeAll { $0 === session }
      if model.workers.isEmpty { loseWorkers(of: model) }
      wake(model)
    }
    let peer = session.call.peer
    workerPeers[peer]?.sessions -= 1
    if workerPeers[peer]?.sessions == 0 { workerPeers[peer] = nil }
  }

  func work(_ call: CallRef, _ report: WorkReport) {
    guard case .worker(let session) = calls[call] else { return }
    workerPeers[call.peer]?.heardMs = nowMs
    if report.draining { drain(session) }
    // A worker that moves again need not rest for a lease that it lost.
    if !report.progress.isEmpty || !report.outcomes.isEmpty { session.restsUntilMs = .min }
    for lease in report.progress { progress(lease, by: session) }
    for name in report.renewedCredentials { renewCredentials(of: name, by: session) }
    // Before the outcomes: an attempt's requests have ended, and said what they had to say.
    for end in report.permitsEnded { take(end, from: session) }
    for outcome in report.outcomes { take(outcome.end, of: outcome.lease, from: session) }
    for lease in report.released { release(lease, by: session) }
    for asked in report.permitsAsked { take(asked, from: session) }
    refresh(session)
    touch(session)
  }

  private func drain(_ session: WorkerSession) {
    session.isDraining = true
    releaseProbes(of: session)
  }

  /// The id stays paused when its worker goes and comes back, until the queue restarts.
  func setWorkerPaused(_ call: CallRef, _ workerID: String, _ paused: Bool) {
    let session = sessionsByWorker[workerID]
    guard session != nil || (!paused && pausedWorkers.contains(workerID)) else {
      return effects.append(.fail(call, unknownWorker(workerID)))
    }
    if paused {
      if pausedWorkers.count >= configuration.workersMax {
        pausedWorkers = pausedWorkers.filter { sessionsByWorker[$0] != nil }
      }
      pausedWorkers.insert(workerID)
    } else {
      pausedWorkers.remove(workerID)
    }
    if let session, session.isPaused != paused {
      session.isPaused = paused
      if paused { releaseProbes(of: session) }
      refresh(session)
    }
    effects.append(.answer(call, SetWorkerPausedResponse()))
  }

  private func unknownWorker(_ workerID: String) -> CallError {
    CallError(
      .notFound, "no worker \"\(workerID)\" is attached; ListWorkers says which are",
      reason: "WORKER_UNKNOWN", resource: workerID)
  }

  func drainWorker(_ call: CallRef, _ workerID: String) {
    guard let session = sessionsByWorker[workerID] else {
      return effects.append(.fail(call, unknownWorker(workerID)))
    }
    drain(session)
    session.notice.drain = true
    refresh(session)
    touch(session)
    effects.append(.answer(call, DrainWorkerResponse()))
  }

  /// The worker's room or rest changed: its models look again whether it takes something.
  func refresh(_ session: WorkerSession) {
    if !session.isOpen(at: nowMs) { session.reservedFor = nil }
    rank(session)
    // The model after the one served last goes first, so that a worker's models take turns.
    let count = session.models.count
    for offset in 0..<count { wake(session.models[(session.nextModel + offset) % count]) }
  }

  /// Gives the worker its new place among those with room; earlier entries are stale from here on.
  func rank(_ session: WorkerSession) {
    session.rankVersion = nextRankVersion
    nextRankVersion += 1
    guard isAvailable(session) else { return }
    let entry = AvailableWorker(
      load: UInt64(session.held.count) << 16 / UInt64(session.request.creditJobs),
      version: session.rankVersion, session: session.number)
    for model in session.models {
      model.available.push(entry) { sessions[$0.session]?.rankVersion == $0.version }
    }
  }

  func isAvailable(_ session: WorkerSession) -> Bool {
    session.isOpen(at: nowMs) && session.reservedFor == nil
      && session.held.count < session.request.creditJobs
  }

  /// Nothing new for the worker until then.
  func rest(_ session: WorkerSession, ms: Int64) {
    session.restsUntilMs = max(session.restsUntilMs, nowMs + ms)
    setTimer(.workerRest, session.number, dueMs: session.restsUntilMs)
    refresh(session)
  }

  func touch(_ session: WorkerSession) {
    guard !session.isTouched else { return }
    session.isTouched = true
    touchedSessions.append(session)
  }

  private func unique(_ models: [Model]) -> [Model] {
    var seen: Set<Int> = []
    return models.filter { seen.insert($0.index).inserted }
  }
}

/// When a connection that carries workers was last heard.
struct WorkerPeer {
  var heardMs: Int64
  var sessions = 0
}
