import RerankdProtocol

/// What time alone brings about.
extension QueueCore {
  func setTimer(_ kind: Timer.Kind, _ subject: UInt64, dueMs: Int64) {
    timers.push(Timer(dueMs: dueMs, subject: subject, kind: kind)) { isLive($0) }
  }

  func fireTimers() {
    var fired = 0
    while fired < configuration.timersPerTickMax, let timer = timers.top, timer.dueMs <= nowMs {
      timers.pop()
      if isLive(timer) {
        fire(timer)
        fired += 1
      }
    }
  }

  /// Whether its subject still waits for just this moment.
  func isLive(_ timer: Timer) -> Bool {
    let id = JobID(rawValue: timer.subject)
    switch timer.kind {
    case .deadline: return jobs[id]?.deadlineMs == timer.dueMs
    case .ready:
      if case .delayed(timer.dueMs) = jobs[id]?.phase { return true }
      return false
    case .lease: return jobs[id]?.lease?.timerDueMs == timer.dueMs
    case .deliveryLease: return deliveries[id]?.leaseEndMs == timer.dueMs
    case .deliveryAge: return deliveries[id]?.ageEndMs == timer.dueMs
    case .backendRest: return backends[Int(timer.subject)].restEndsMs == timer.dueMs
    case .backendGrant: return backends[Int(timer.subject)].grantDueMs == timer.dueMs
    case .modelUnserved: return unservedAtMs(models[Int(timer.subject)]) == timer.dueMs
    case .permit: return grantedPermits[timer.subject]?.grant?.lostAtMs == timer.dueMs
    case .workerRest: return sessions[timer.subject]?.restsUntilMs == timer.dueMs
    case .backup: return backupDueMs == timer.dueMs
    }
  }

  private func fire(_ timer: Timer) {
    let id = JobID(rawValue: timer.subject)
    switch timer.kind {
    case .deadline:
      guard let job = jobs[id] else { return }
      abandon(job, .expired, code: .deadlineExceeded, message: "its deadline passed")
    case .ready:
      guard let job = jobs[id] else { return }
      makeReady(job, sinceMs: timer.dueMs)
      change(job)
    case .lease:
      guard let job = jobs[id], let lease = job.lease else { return }
      checkLease(job, lease)
    case .deliveryLease:
      guard let delivery = deliveries[id] else { return }
      takeBack(delivery)
    case .deliveryAge:
      guard let delivery = deliveries[id] else { return }
      park(delivery)
    case .backendRest: probe(backends[Int(timer.subject)])
    case .backendGrant: wakeGrants(of: backends[Int(timer.subject)])
    case .modelUnserved: wake(models[Int(timer.subject)])
    case .permit:
      guard let permit = grantedPermits[timer.subject] else { return }
      lose(permit)
    case .workerRest:
      guard let session = sessions[timer.subject] else { return }
      refresh(session)
    case .backup: backUpByTheClock()
    }
  }
}
