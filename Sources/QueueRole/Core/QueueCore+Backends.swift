import Ledger
import RerankdProtocol

/// Whether backends take work: what their answers say, and who may change it.
extension QueueCore {
  /// Name of the ledger setting that holds an operator's pause of a backend.
  static func pausedSetting(of backend: String) -> String { "backend_paused.\(backend)" }

  @discardableResult
  func addBackend(_ name: String, isDeclared: Bool, limits: BackendLimits = BackendLimits())
    -> Backend
  {
    let backend = Backend(
      index: backends.count, name: name, isDeclared: isDeclared, limits: limits,
      configuration: configuration, nowMs: nowMs)
    backends.append(backend)
    if isDeclared { backendsByName[name] = backend }
    return backend
  }

  /// What the end of a request or an attempt says of its backend.
  /// - Parameters:
  ///   - fault: `none` for an answer that holds nothing against it.
  ///   - generation: in which it was begun. What began before the backend's health changed says
  ///     nothing about it now, but that it asked to be left alone.
  func note(
    _ fault: BackendFault, of backend: Backend, generation: UInt64, retryAfterMs: Int64?,
    reason: String
  ) {
    let isCurrent = generation == backend.generation
    switch fault {
    case .credentialsRefused:
      backend.counters.credentialsRefused += 1
      guard isCurrent else { return }
      let restMs = min(
        retryAfterMs ?? configuration.credentialsRestMs, configuration.backendRestMaxMs)
      let untilMs = nowMs + max(restMs, 1)
      close(backend, .credentialsRefused(untilMs: untilMs, reason: reason), untilMs: untilMs)
    case .rateLimited:
      backend.counters.rateLimited += 1
      rest(backend, atLeastMs: retryAfterMs, reason: reason)
    case .unavailable:
      backend.counters.unavailable += 1
      guard isCurrent else { return }
      let trips = backend.breaker.recordFailure()
      if trips || !backend.isOpen { rest(backend, atLeastMs: retryAfterMs, reason: reason) }
    case .none, .UNRECOGNIZED:
      guard isCurrent else { return }
      if case .probing = backend.health { open(backend) } else { backend.breaker.recordSuccess() }
    }
  }

  /// - Parameter atLeastMs: what the backend asked for; nil leaves it to the breaker.
  func rest(_ backend: Backend, atLeastMs: Int64?, reason: String) {
    let askedMs = atLeastMs.map { min($0, configuration.backendRestMaxMs) }
    switch backend.health {
    case .credentialsRefused: return
    case .resting(let earlierMs, let earlierReason):
      guard let askedMs, nowMs + askedMs > earlierMs else { return }
      let untilMs = nowMs + askedMs
      backend.health = .resting(untilMs: untilMs, reason: earlierReason)
      setTimer(.backendRest, UInt64(backend.index), dueMs: untilMs)
    case .open, .probing:
      let ownMs = backend.breaker.nextRestMs(random: &random)
      let untilMs = nowMs + max(askedMs ?? ownMs, 1)
      close(backend, .resting(untilMs: untilMs, reason: reason), untilMs: untilMs)
    }
  }

  private func close(_ backend: Backend, _ health: BackendHealth, untilMs: Int64) {
    change(backend, to: health)
    setTimer(.backendRest, UInt64(backend.index), dueMs: untilMs)
    refuseWaiting(of: backend)
  }

  func open(_ backend: Backend) {
    backend.breaker.reset()
    change(backend, to: .open)
  }

  /// - Parameter session: through which worker to look; nil: any.
  func probe(_ backend: Backend, session: UInt64? = nil) {
    let reason: String
    switch backend.health {
    case .resting(_, let why), .credentialsRefused(_, let why), .probing(_, let why): reason = why
    case .open: return
    }
    change(backend, to: .probing(BackendHealth.Probe(session: session), reason: reason))
  }

  private func change(_ backend: Backend, to health: BackendHealth) {
    backend.health = health
    backend.generation += 1
    wakeAll(of: backend)
  }

  /// Its jobs may go out now, or to fallbacks; its permits too.
  func wakeAll(of backend: Backend) {
    for model in backend.models {
      if !backend.isOpen { putBackSetAside(model) }
      wake(model)
    }
    wakeGrants(of: backend)
  }

  /// A worker reads its credentials anew: look through that one whether they are taken now.
  func renewCredentials(of name: String, by session: WorkerSession) {
    guard let backend = backendsByName[name], case .credentialsRefused = backend.health else {
      return
    }
    probe(backend, session: session.number)
  }

  /// A probe through this worker alone has lost it.
  func releaseProbes(of session: WorkerSession) {
    for backend in backends {
      guard case .probing(var probe, let reason) = backend.health, probe.session == session.number
      else { continue }
      probe.session = nil
      backend.health = .probing(probe, reason: reason)
      wakeAll(of: backend)
    }
  }

  func setBackendPaused(_ call: CallRef, _ name: String, _ paused: Bool) {
    guard let backend = backendsByName[name] else {
      let error = CallError(
        .notFound, "no backend \"\(name)\" is configured; Status says which are",
        reason: "BACKEND_UNKNOWN", resource: name)
      return effects.append(.fail(call, error))
    }
    backend.isPaused = paused
    let setting = Self.pausedSetting(of: name)
    effects.append(.write(.putSetting(name: setting, value: paused ? "true" : "false")))
    if paused {
      wakeAll(of: backend)
      refuseWaiting(of: backend)
    } else {
      open(backend)
      endWaits(for: backend)
    }
    effects.append(.answer(call, SetBackendPausedResponse()))
  }

  /// Jobs that failed on it may wait for as long as it had asked for, hours even. Who resumes it says
  /// that it can be asked again now.
  private func endWaits(for backend: Backend) {
    let waiting = jobs.values.filter {
      guard case .delayed = $0.phase else { return false }
      return $0.model.backend === backend && $0.record.state.attempt > 0
    }
    for job in waiting.sorted(by: { $0.id < $1.id }) {
      makeReady(job, sinceMs: nowMs)
      change(job)
    }
  }

  func status(of backend: Backend) -> BackendStatus {
    var status = BackendStatus()
    status.name = backend.name
    status.state = backend.state
    status.reason = backend.reason
    status.restingMs = UInt64(max((backend.restEndsMs ?? nowMs) - nowMs, 0))
    status.models = backend.models.map(\.name)
    status.requestsUnderWay = UInt32(clamping: backend.granted)
    status.requestsWaiting = UInt32(clamping: backend.waiting.count)
    status.requestsPerMinuteMax = UInt32(clamping: backend.limits.requestsPerMinuteMax ?? 0)
    status.tokensPerMinuteMax = UInt64(clamping: backend.limits.tokensPerMinuteMax ?? 0)
    status.concurrentRequestsMax = UInt32(clamping: backend.limits.concurrentRequestsMax ?? 0)
    status.requests = backend.counters.requests
    status.tokens = backend.counters.tokens
    status.credentialsRefused = backend.counters.credentialsRefused
    status.rateLimited = backend.counters.rateLimited
    status.unavailable = backend.counters.unavailable
    return status
  }
}

extension Backend {
  fileprivate var state: BackendState {
    if isPaused { return .paused }
    return switch health {
    case .open: .open
    case .resting: .resting
    case .credentialsRefused: .credentialsRefused
    case .probing: .probing
    }
  }

  /// Why it is not open; empty where it is.
  var reason: String {
    if isPaused { return "paused by an operator" }
    return switch health {
    case .open: ""
    case .resting(_, let reason), .credentialsRefused(_, let reason), .probing(_, let reason):
      reason
    }
  }
}
