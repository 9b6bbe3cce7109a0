import Ledger
import RerankdProtocol

@testable import QueueRole

/// Who must be served first, and what the queue may keep in memory.
extension History {
  /// How often one tenant may be served while another waits with a job that would have fitted.
  private static var passedOverMax: Int { 4 }

  func begin(_ core: QueueCore) {
    setAside = Set(core.models.compactMap { $0.setAside?.id })
  }

  /// An assigned job comes before what its tenant has ready for the model; and no tenant whose
  /// first job would have fitted as well is passed over for long.
  func checkOrder(_ orders: [AssignmentOrder], _ core: QueueCore, _ world: World) {
    for order in orders {
      guard let job = core.jobs[order.lease.job], let lease = job.lease,
        lease.attempt == order.lease.attempt
      else { continue }
      if lease.model !== job.model, !job.record.allowFallback {
        world.fail("job \(job.id) goes to a fallback that it does not allow")
      }
      // Whichever way it was chosen, its tenant has been served.
      passedOver["\(job.model.name) \(job.tenant.name)"] = nil
      guard lease.model === job.model, !job.mayFallBack, !setAside.contains(job.id)
      else { continue }
      let firsts = firstReady(of: job.model, in: core)
      let key =
        job.readySinceMs - Int64(job.record.priority) * core.configuration.ageingMsPerPriority
      if let first = firsts[job.tenant.name], let firstKey = first.readyKey,
        first.bodyBytes <= job.bodyBytes, (firstKey, first.id) < (key, job.id)
      {
        world.fail("job \(job.id) is assigned before job \(first.id)")
      }
      let waiting = firsts.values.filter { $0.bodyBytes <= job.bodyBytes }.map(\.tenant.name)
      count(job.tenant.name, of: job.model.name, Set(waiting), world)
    }
  }

  /// By tenant, of those that wait in the model's own queue.
  private func firstReady(of model: Model, in core: QueueCore) -> [String: Job] {
    var firsts: [String: Job] = [:]
    for job in core.jobs.values where job.model === model && job.phase.isReady && !job.isDiverted {
      guard let key = job.readyKey else { continue }
      if let first = firsts[job.tenant.name], let firstKey = first.readyKey,
        (firstKey, first.id) < (key, job.id)
      {
        continue
      }
      firsts[job.tenant.name] = job
    }
    return firsts
  }

  private func count(_ served: String, of model: String, _ waiting: Set<String>, _ world: World) {
    for tenant in World.tenants {
      let place = "\(model) \(tenant)"
      if tenant == served || !waiting.contains(tenant) {
        passedOver[place] = nil
      } else {
        passedOver[place, default: [:]][served, default: 0] += 1
        if passedOver[place]?[served] ?? 0 > Self.passedOverMax {
          world.fail("tenant \(tenant) waits while \(served) is served again and again")
        }
      }
    }
  }

  func check(_ process: QueueProcess, _ world: World, everything: Bool) {
    let core = process.core
    let limits = core.configuration
    if core.admittedJobs > limits.liveJobsMax { world.fail("\(core.admittedJobs) live jobs") }
    if core.admittedBytes > limits.liveBytesMax { world.fail("\(core.admittedBytes) live bytes") }
    for backend in core.backends
    where backend.granted > backend.limits.concurrentRequestsMax ?? .max {
      world.fail("\(backend.granted) requests at once")
    }
    guard everything else { return }
    if let problem = core.inconsistencies().first { world.fail("the core's tables: \(problem)") }
    for tenant in core.tenants.values where tenant.jobs > limits.tenantLiveJobsMax {
      world.fail("tenant \(tenant.name) has \(tenant.jobs) live jobs")
    }
    for channel in core.channels.values
    where channel.unacknowledged > limits.channelUnacknowledgedMax + limits.liveJobsMax {
      world.fail("\(channel.unacknowledged) outcomes wait in channel \(channel.key.name)")
    }
    let timers =
      2 * core.jobs.count + 2 * core.deliveries.count + core.sessions.count
      + 2 * core.backends.count + core.models.count + core.grantedPermits.count
    // A heap forgets when it has doubled.
    timersMax = max(timersMax, timers)
    if core.timers.elements.count > 2 * timersMax + 128 {
      world.fail("\(core.timers.elements.count) timers for \(timersMax) that may be due")
    }
    if let stray = core.calls.keys.first(where: { !process.isOpen($0) }) {
      world.fail("the core keeps call \(stray), which is over")
    }
  }
}
