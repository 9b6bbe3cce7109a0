import RerankdProtocol

/// Leave for single requests to backends, asked for by workers: given within the backend's limits,
/// in turn over the workers; refused while the backend takes nothing.
extension QueueCore {
  func take(_ asked: PermitAsk, from session: WorkerSession) {
    guard session.permits[asked.id] == nil else { return }
    guard let backend = backendsByName[asked.backend] else {
      return refuse(
        asked.id, of: session, afterMs: configuration.refusalRetryAfterMs,
        reason: "the queue knows no backend \"\(asked.backend)\": configure it alike for both")
    }
    guard jobs[asked.job]?.lease?.session === session else {
      return refuse(asked.id, of: session, afterMs: 0, reason: "the worker does not hold the job")
    }
    guard !backend.isClosed else {
      return refuse(asked.id, of: session, afterMs: restMs(of: backend), reason: backend.reason)
    }
    // While others look whether it is back, their line is no place to wait in.
    if case .probing(let probe, let reason) = backend.health, let only = probe.session,
      only != session.number
    {
      let afterMs = configuration.refusalRetryAfterMs
      return refuse(asked.id, of: session, afterMs: afterMs, reason: reason)
    }
    guard backend.waiting.count < configuration.permitsWaitingMax else {
      return refuse(
        asked.id, of: session, afterMs: configuration.refusalRetryAfterMs,
        reason: "\(backend.waiting.count) requests wait for backend \"\(backend.name)\", the most "
          + "that may")
    }
    let permit = Permit(
      number: nextPermitNumber, id: asked.id, session: session, backend: backend,
      tokens: asked.tokens, job: asked.job)
    nextPermitNumber += 1
    session.permits[asked.id] = permit
    backend.waiting.append(permit)
    wakeGrants(of: backend)
  }

  func take(_ report: PermitEnd, from session: WorkerSession) {
    guard let permit = session.permits.removeValue(forKey: report.id) else { return }
    let backend = permit.backend
    guard let grant = permit.grant else {
      backend.waiting.remove(permit)
      return wakeGrants(of: backend)
    }
    comeBack(permit)
    if report.isUnused {
      backend.requestRate?.giveBack(1)
      backend.tokenRate?.giveBack(cost(of: permit))
      backend.counters.requests -= 1
      backend.counters.tokens -= UInt64(permit.tokens)
    } else if !report.isUnfinished {
      note(
        report.fault, of: backend, generation: grant.generation,
        retryAfterMs: report.retryAfterMs, reason: report.message)
    }
  }

  func wakeGrants(of backend: Backend) {
    guard backend.isDeclared, !backend.isWaitingForGrants else { return }
    backend.isWaitingForGrants = true
    backendsToGrant.append(backend)
  }

  /// Gives what the limits allow. The first in line is not overtaken, so a large request comes to
  /// its turn as well.
  func grantPermits(of backend: Backend) {
    backend.isWaitingForGrants = false
    backend.grantDueMs = nil
    while let permit = nextPermit(of: backend) {
      let most = backend.limits.concurrentRequestsMax ?? .max
      guard backend.granted < most else { return }
      let readyMs = max(
        backend.requestRate?.readyAtMs(1) ?? nowMs,
        backend.tokenRate?.readyAtMs(cost(of: permit)) ?? nowMs)
      guard readyMs <= nowMs else {
        backend.grantDueMs = readyMs
        return setTimer(.backendGrant, UInt64(backend.index), dueMs: readyMs)
      }
      grant(permit)
    }
  }

  private func nextPermit(of backend: Backend) -> Permit? {
    guard !backend.isClosed else { return nil }
    guard case .probing(let probe, _) = backend.health else { return backend.waiting.first() }
    return probe.permit == nil ? backend.waiting.first(ofSession: probe.session) : nil
  }

  private func grant(_ permit: Permit) {
    let backend = permit.backend
    backend.waiting.removeFirst(permit)
    backend.requestRate?.take(1, nowMs: nowMs)
    backend.tokenRate?.take(cost(of: permit), nowMs: nowMs)
    backend.granted += 1
    backend.counters.requests += 1
    backend.counters.tokens += UInt64(permit.tokens)
    let lostAtMs = nowMs + configuration.permitHeldMaxMs
    permit.grant = (backend.generation, lostAtMs)
    grantedPermits[permit.number] = permit
    setTimer(.permit, permit.number, dueMs: lostAtMs)
    if case .probing(var probe, let reason) = backend.health {
      probe.permit = permit.number
      backend.health = .probing(probe, reason: reason)
    }
    permit.session.notice.granted.append(
      PermitGrantOrder(id: permit.id, validMs: configuration.permitValidMs))
    touch(permit.session)
  }

  /// The backend has room for another. What the permit took of its rate stays taken.
  private func comeBack(_ permit: Permit) {
    let backend = permit.backend
    grantedPermits[permit.number] = nil
    backend.granted -= 1
    if case .probing(var probe, let reason) = backend.health, probe.permit == permit.number {
      probe.permit = nil
      backend.health = .probing(probe, reason: reason)
    }
    wakeGrants(of: backend)
  }

  /// Its worker has not said what became of it for longer than any request takes.
  func lose(_ permit: Permit) {
    permit.session.permits[permit.id] = nil
    comeBack(permit)
  }

  /// The job is not the session's any more: it need not wait for permits. Requests under way are
  /// reported when they have ended.
  func dropWaiting(of job: JobID, in session: WorkerSession) {
    guard !session.permits.isEmpty else { return }
    for permit in session.permits.values where permit.job == job && permit.grant == nil {
      session.permits[permit.id] = nil
      permit.backend.waiting.remove(permit)
      wakeGrants(of: permit.backend)
    }
  }

  /// The session is over, and its permits with it.
  func endPermits(of session: WorkerSession) {
    for permit in session.permits.values {
      if permit.grant != nil {
        comeBack(permit)
      } else {
        permit.backend.waiting.remove(permit)
        wakeGrants(of: permit.backend)
      }
    }
    session.permits = [:]
    releaseProbes(of: session)
  }

  func refuseWaiting(of backend: Backend) {
    let afterMs = restMs(of: backend)
    for permit in backend.waiting.all {
      backend.waiting.remove(permit)
      permit.session.permits[permit.id] = nil
      refuse(permit.id, of: permit.session, afterMs: afterMs, reason: backend.reason)
    }
  }

  private func refuse(_ id: UInt64, of session: WorkerSession, afterMs: Int64, reason: String) {
    session.notice.refused.append(
      PermitRefusalOrder(id: id, retryAfterMs: afterMs, reason: reason))
    touch(session)
  }

  private func restMs(of backend: Backend) -> Int64 {
    backend.restEndsMs.map { max($0 - nowMs, 0) } ?? 0
  }

  /// What it counts of the tokens a minute. More than the limit could never be had.
  private func cost(of permit: Permit) -> Int {
    min(max(permit.tokens, 1), permit.backend.limits.tokensPerMinuteMax ?? .max)
  }
}
