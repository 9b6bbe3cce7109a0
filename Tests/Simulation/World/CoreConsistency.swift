@testable import QueueRole

extension QueueCore {
  /// Where its indexes and counts disagree, in words.
  func inconsistencies() -> [String] {
    var problems: [String] = []
    func expect(_ holds: Bool, _ what: String) { if !holds { problems.append(what) } }
    let leased = jobs.values.filter { $0.lease != nil }
    expect(models.reduce(0) { $0 + $1.leasedCount } == leased.count, "leased counts")
    expect(
      models.reduce(0) { $0 + $1.readyCount } == jobs.values.filter(\.phase.isReady).count,
      "ready counts")
    expect(
      models.reduce(0) { $0 + $1.readyCount + $1.leasedCount + $1.delayedCount } == jobs.count,
      "phase counts")
    let waiting = lookups.values.flatMap(\.waiting)
    expect(admittedJobs == jobs.count + waiting.count, "admitted jobs")
    let bytes = jobs.values.reduce(0) { $0 + $1.bodyBytes }
    expect(
      admittedBytes == Int64(bytes + waiting.reduce(0) { $0 + $1.job.body.count }), "admitted bytes"
    )
    expect(tenants.values.reduce(0) { $0 + $1.jobs } == admittedJobs, "tenants' jobs")
    expect(jobsByKey.values.allSatisfy { jobs[$0] != nil }, "keys of jobs that ended")
    for session in sessions.values {
      let held = leased.filter { $0.lease?.session === session }
      expect(Set(held.map(\.id)) == session.held, "\(session.workerID) holds other jobs")
      expect(session.heldBytes == held.reduce(0) { $0 + $1.bodyBytes }, "held bytes")
    }
    let away = leased.filter { $0.lease?.session == nil }
    expect(Set(away.map(\.id)) == Set(departed.values.flatMap(\.jobs)), "departed workers' jobs")
    for channel in channels.values {
      let pending = deliveries.values.filter { $0.channel === channel }.count
      expect(pending == channel.unacknowledged, "unacknowledged outcomes of a channel")
    }
    for model in models where model.setAside != nil {
      expect(model.setAside?.phase.isReady == true, "set aside and not ready")
    }
    for session in sessions.values where session.reservedFor != nil {
      expect(
        models.contains {
          $0.setAside?.id == session.reservedFor && $0.reservedSession == session.number
        },
        "\(session.workerID) makes room for nobody")
    }
    for backend in backends {
      let permits = sessions.values.flatMap(\.permits.values).filter { $0.backend === backend }
      expect(backend.granted == permits.count { $0.grant != nil }, "permits given out")
      expect(backend.waiting.count == permits.count { $0.grant == nil }, "permits waited for")
      expect(Set(backend.waiting.all.map(\.number)).count == backend.waiting.count, "the line")
      expect(!backend.isClosed || backend.waiting.count == 0, "a line at a closed backend")
      expect(backend.granted <= backend.limits.concurrentRequestsMax ?? .max, "requests at once")
      for permit in permits where permit.grant == nil {
        expect(jobs[permit.job]?.lease?.session === permit.session, "a permit for another's job")
      }
    }
    expect(
      grantedPermits.count == backends.reduce(0) { $0 + $1.granted }, "permits by their numbers")
    for model in models {
      let ready = jobs.values.filter { $0.model === model && $0.phase.isReady }
      let queued = ready.filter { $0.readyKey != nil }
      let tenants = { (jobs: [Job]) in Set(jobs.map(\.tenant.name)).count }
      expect(model.ready.laneCount == tenants(queued.filter { !$0.isDiverted }), "ready lanes")
      expect(model.diverted.laneCount == tenants(queued.filter(\.isDiverted)), "diverted lanes")
      expect(
        model.divertible.laneCount == tenants(queued.filter { !$0.isDiverted && $0.mayFallBack }),
        "divertible lanes")
    }
    return problems
  }

  /// Of a process that has ended: its parts refer to one another, which a process's end would end.
  func unlink() {
    for job in jobs.values { job.phase = .ended }
    for model in models {
      // The heap behind it forgets what is not ready.
      _ = model.oldestReadySinceMs
      model.fallbacks = []
      model.standsInFor = []
      model.workers = []
      model.setAside = nil
      model.ready = ReadyQueue()
      model.divertible = ReadyQueue()
      model.diverted = ReadyQueue()
    }
    for backend in backends {
      backend.models = []
      backend.waiting = PermitLine()
    }
    for session in sessions.values { session.permits = [:] }
    for channel in channels.values { channel.ready = Fifo() }
  }
}
