import Ledger
import RerankdProtocol

@testable import QueueRole

/// The machine that the queue runs on: its disk, and one process after another.
final class QueueHost {
  enum End {
    case killed, powerCut
    /// The process ended itself: it could not make something durable.
    case exited
  }

  let configuration: QueueConfiguration
  let disk: SimulatedDisk
  private(set) var process: QueueProcess?
  /// Whether a read of the process that runs was made to fail.
  private(set) var hasFailedReads = false
  private(set) var starts = 0
  private unowned let world: World
  private var draw: Draw
  private var fullUntilMs: Int64 = 0

  /// A disk with an empty ledger on it, as every world but a few begins: migrations take longer
  /// than many a world's life.
  private static let template: Result<SimulatedDisk, any Error> = Result {
    let disk = SimulatedDisk()
    let ledger = try SimulatedLedger(disk, LedgerConfiguration(path: disk.ledgerPath))
    try ledger.checkpoint(truncating: true)
    disk.kill()
    ledger.abandon()
    disk.restart(afterPowerCut: false, seed: 0)
    return disk
  }

  init(_ world: World) {
    self.world = world
    configuration = world.scenario.queueConfiguration
    draw = Draw(seed: world.scenario.seed, stream: 2)
    guard !world.scenario.beginsEmpty, case .success(let template) = Self.template else {
      disk = SimulatedDisk()
      return
    }
    disk = SimulatedDisk(copyOf: template)
  }

  var links: [Link] { process?.openLinks ?? [] }
  var isSettled: Bool { process?.isSettled ?? false }

  var unsettled: String {
    guard let core = process?.core else { return "the queue does not run" }
    let jobs = core.jobs.values.sorted { $0.id < $1.id }.prefix(4)
      .map { "\($0.id) \($0.phase) \($0.record.state)" }
    return "\(core.jobs.count) jobs \(jobs), \(core.deliveries.count) deliveries, "
      + "\(core.reads.count) reads"
  }

  /// nil: nobody listens.
  func connect(_ client: any LinkClient) -> Link? {
    guard let process else { return nil }
    let link = Link(world, process, client)
    process.accept(link)
    return link
  }

  // MARK: Starting and ending

  func start() {
    guard process == nil, world.problem == nil else { return }
    if world.mutation == .syncsNothing { disk.lie() }
    if world.has(.writeError), draw.chance(5) { disk.arm(.write, after: 1 + draw.pick(12)) }
    if world.has(.deathInCommit), draw.chance(8) { disk.arm(.death, after: 1 + draw.pick(20)) }
    let ledger: SimulatedLedger
    do {
      ledger = try SimulatedLedger(disk, configuration.ledger)
    } catch {
      world.note("the queue does not start: \(error)")
      guard disk.hasStruck || isFull else {
        return world.fail("the ledger cannot be opened: \(error)")
      }
      // A process that cannot start is gone, and what it wrote is there.
      endProcess(draw.chance(30) && world.has(.powerCut) ? .powerCut : .exited)
      return
    }
    disk.disarm()
    starts += 1
    var recovered = ledger.recovered
    world.note("the queue starts, epoch \(recovered.epoch), \(recovered.liveJobs.count) jobs")
    if world.mutation == .keepsEpoch { recovered.epoch = 2 }
    world.history.recover(ledger, recovered, world)
    let started = QueueProcess(world, self, ledger, recovered)
    process = started
    started.turn()
  }

  func crash(_ end: End) {
    guard let crashed = process else { return }
    world.note("the queue is \(end)")
    process = nil
    crashed.die()
    disk.kill()
    crashed.ledger.abandon()
    endProcess(end)
  }

  /// The ledger could not commit: the process exits, and the next one finds out what is on disk.
  func commitFailed(_ error: any Error) {
    world.note("the commit failed: \(error)")
    guard disk.hasStruck || isFull else { return world.fail("a commit failed: \(error)") }
    crash(world.has(.powerCut) && draw.chance(40) ? .powerCut : .exited)
  }

  private func endProcess(_ end: End) {
    disk.restart(afterPowerCut: end == .powerCut, seed: draw.next())
    hasFailedReads = false
    world.after(Int64(50 + draw.pick(1_500))) { [self] in start() }
  }

  func stop(ms: Int64) {
    world.note("the queue is stopped for \(ms) ms")
    process?.stop(untilMs: world.nowMs + ms)
  }

  /// The faults are over, and what they left behind goes.
  func heal() {
    disk.disarm()
    freeDisk()
  }

  func finish() {
    guard let process else { return }
    if world.problem == nil { world.history.finish(process, world) }
    self.process = nil
    process.die()
    disk.kill()
    process.ledger.abandon()
  }

  // MARK: The disk's faults

  private var isFull: Bool { disk.capacityBytes != .max }

  /// Above the reserve: below it no new jobs are taken in.
  var hasSpace: Bool { disk.capacityBytes == .max || disk.capacityBytes - disk.usedBytes > 200_000 }

  /// Somebody else fills the volume, near the reserve or to the last page.
  func fillDisk(ms: Int64) {
    let free = draw.chance(50) ? draw.pick(40_000) : draw.pick(400_000)
    world.note("the disk has \(free) bytes left for \(ms) ms")
    disk.capacityBytes = disk.usedBytes + Int64(free)
    fullUntilMs = world.nowMs + ms
    world.after(ms) { [self] in
      if world.nowMs >= fullUntilMs { freeDisk() }
    }
  }

  private func freeDisk() { disk.capacityBytes = .max }

  /// The disk begins to fail: some write or sync to come.
  func breakDisk() {
    guard world.has(.writeError), process != nil else { return }
    disk.arm(draw.chance(50) ? .write : .sync, after: 1 + draw.pick(12))
  }

  func armForCommit() {
    if world.has(.deathInCommit), draw.chance(3) { disk.arm(.death, after: 1 + draw.pick(10)) }
  }

  /// Reads, some of which fail.
  func read(_ reads: [(UInt64, LedgerRead)], _ ledger: SimulatedLedger) -> [(
    UInt64, LedgerReadResult
  )] {
    let fails = world.has(.readError) && draw.chance(6)
    if fails {
      hasFailedReads = true
      disk.arm(.read, after: 1 + draw.pick(3))
    }
    defer { if fails { disk.forgetReadFault() } }
    return reads.map { ($0.0, ledger.read($0.1)) }
  }

  /// What the ledger's thread does between commits.
  func maintain() {
    guard let process else { return }
    do {
      if draw.chance(6) {
        try process.ledger.checkpoint(truncating: draw.chance(40))
      }
      if draw.chance(10) {
        let atMs = process.ageMs()
        world.history.retain(untilMs: atMs)
        try process.ledger.retain(nowMs: atMs, startingSweep: draw.chance(50))
      }
    } catch {
      commitFailed(error)
    }
  }
}
