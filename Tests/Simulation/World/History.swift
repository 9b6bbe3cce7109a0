import Ledger
import RerankdProtocol

@testable import QueueRole

/// What everybody was told, what the ledger was given, and what must hold of both.
///
/// This file has the promises to producers, workers and consumers; +Audit what the disk must hold;
/// +Order who must be served first, and the bounds of the queue's memory.
final class History {
  struct Ended: Equatable {
    let state: JobState
    let attempts: UInt32
  }

  /// Made by the batches that the ledger has reported.
  var durable = LedgerImage()
  /// The batch that the ledger has been given and has not reported.
  var handed: [LedgerWrite] = []
  var removed: Set<JobID> = []
  /// The latest time at which retention may have looked at the jobs.
  var retainedMs = Int64.min
  var lastEpoch: UInt64 = 0

  /// Jobs of which a producer was told that they are on disk.
  var acknowledged: Set<JobID> = []
  private var keys: [TenantName: JobID] = [:]
  private var hashes: [TenantName: [UInt8]] = [:]
  private var ended: [JobID: Ended] = [:]
  /// Jobs that an operator has tried to bring back: their ends are not final.
  private(set) var retried: Set<JobID> = []
  private var results: [JobID: Set<[UInt8]>] = [:]
  private var received: [JobID: [Ended]] = [:]
  /// Deliveries whose acknowledgement is on disk.
  private var settled: Set<JobID> = []
  private var bodies: [JobID: [UInt8]] = [:]

  // Of the apply that runs, and of the turns before it.
  var setAside: Set<JobID> = []
  var passedOver: [String: [String: Int]] = [:]
  /// The most timers that there was a use for so far, in the process that runs.
  var timersMax = 0

  private(set) var counts = Counts()

  struct Counts {
    var acknowledged = 0
    var succeeded = 0
    var deliveries = 0
  }

  static let disk = "on disk"

  // MARK: Producers

  /// - Parameter key: what the job was submitted under.
  func tell(_ id: JobID, _ job: NewJob, isDuplicate: Bool, _ world: World) {
    acknowledged.insert(id)
    counts.acknowledged += 1
    guard let name = job.idempotencyKey, let hash = job.payloadHash else {
      if isDuplicate { world.fail("job \(id) without a key is called a duplicate") }
      return
    }
    let key = TenantName(tenant: job.tenant, name: name)
    // Answers overtake one another: the older of the two is the one that may have been removed.
    if let known = keys[key], known != id, !mayBeForgotten(min(known, id)) {
      world.fail("key \(name) of \(job.tenant) is job \(known) and job \(id)")
    }
    if keys[key] == id, hashes[key] != hash {
      world.fail("key \(name) of \(job.tenant) was taken with another payload")
    }
    keys[key] = id
    hashes[key] = hash
  }

  /// Whether retention may have removed it: it had ended, as far as anybody knows.
  private func mayBeForgotten(_ id: JobID) -> Bool {
    removed.contains(id) || durable.jobs[id].map { $0.record.state.state.isTerminal } ?? true
  }

  /// A job's state as somebody was told, or as the disk has it.
  func observe(_ id: JobID, _ state: JobState, attempts: UInt32, _ source: String, _ world: World) {
    // Of a job that was brought back, what somebody is told may be older than what is known.
    if retried.contains(id), source != Self.disk { return }
    let known = ended[id]
    guard state.isTerminal else {
      if let known, known.state == .succeeded || !retried.contains(id) {
        world.fail("job \(id) had ended as \(known.state), and is \(state) \(source)")
      }
      return
    }
    let now = Ended(state: state, attempts: attempts)
    if let known, known != now, known.state == .succeeded || !retried.contains(id) {
      world.fail("job \(id) ended as \(known) and as \(now) \(source)")
    }
    ended[id] = now
    if state == .succeeded, known == nil { counts.succeeded += 1 }
  }

  func observe(_ outcome: JobOutcome, _ source: String, _ world: World) {
    let id = JobID(rawValue: outcome.jobID)
    guard outcome.state.isTerminal else {
      return world.fail("job \(id) is \(outcome.state) in an outcome \(source)")
    }
    observe(id, outcome.state, attempts: outcome.attempts, source, world)
    if outcome.state == .succeeded, results[id]?.contains([UInt8](outcome.result)) != true {
      world.fail("job \(id) has a result that no worker made \(source)")
    }
  }

  func retry(_ ids: [JobID]) { retried.formUnion(ids) }

  // MARK: Workers

  func make(_ result: [UInt8], of id: JobID) { results[id, default: []].insert(result) }

  func checkBody(_ body: [UInt8], of id: JobID, _ world: World) {
    if bodies[id] != body { world.fail("job \(id) was assigned with another body") }
  }

  // MARK: Consumers

  func receive(_ outcome: JobOutcome, _ world: World) {
    let id = JobID(rawValue: outcome.jobID)
    counts.deliveries += 1
    observe(outcome, "in a delivery", world)
    received[id, default: []].append(Ended(state: outcome.state, attempts: outcome.attempts))
  }

  func wasReceived(_ id: JobID, _ state: JobStateRecord) -> Bool {
    received[id]?.contains(Ended(state: state.state, attempts: state.attempt)) ?? false
  }

  // MARK: The core's effects

  func note(_ effects: [QueueEffect], of core: QueueCore, _ world: World) {
    for effect in effects {
      switch effect {
      case .write(.insertJob(let record, let body)):
        if let body { bodies[record.id] = body }
      case .write(.putBodyChunk(let id, let index, let chunk)):
        // A number that never came to be is given to another job after a crash.
        bodies[id] = index == 0 ? chunk : (bodies[id] ?? []) + chunk
      case .write(.putDelivery(let row)) where row.state == .pending && row.attempts == 0:
        // Another outcome, of a job that was brought back.
        settled.remove(row.jobID)
      case .assign(_, let orders): checkOrder(orders, core, world)
      default: break
      }
    }
  }

  /// On its way to a consumer.
  func send(_ orders: [DeliveryOrder], _ world: World) {
    for order in orders where settled.contains(order.outcome.job) {
      world.fail("job \(order.outcome.job) is delivered after its acknowledgement was on disk")
    }
  }

  /// The writes are on disk.
  func settle(_ writes: some Sequence<LedgerWrite>) {
    for write in writes {
      switch write {
      case .putDelivery(let row) where row.state == .acknowledged: settled.insert(row.jobID)
      case .removeJob(let id): removed.insert(id)
      default: break
      }
    }
  }
}
