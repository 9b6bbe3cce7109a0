import RerankdProtocol
import SwiftProtobuf

@testable import Ledger
@testable import QueueRole

/// One life of the queue's process: the core with the shell's pipeline, batches, drafts and caches
/// around it, and a ledger whose thread is a matter of events. What `QueueLoop` does with sockets
/// and a mailbox is done here with links and lists.
final class QueueProcess {
  enum Report {
    case durable(UInt64)
    case read(UInt64, LedgerReadResult)
  }

  struct Call {
    let serial: UInt64
    /// The core has decided its end, which has not left yet.
    var isEnding = false
  }

  let core: QueueCore
  let ledger: SimulatedLedger
  var pipeline: BatchPipeline
  private(set) var isAlive = true
  unowned let world: World
  unowned let host: QueueHost
  let configuration: QueueConfiguration
  private var bodies: PayloadCache
  private var results: PayloadCache
  var calls: [CallRef: Call] = [:]
  var links: [PeerID: Link] = [:]
  private var inbox: [InboundMessage] = []
  var mailbox: [Report] = []
  private var effects: [QueueEffect] = []
  private var lastSerial: UInt64 = 0
  private var stoppedUntilMs: Int64 = 0
  private var attention: Attention
  private var wakeMs: Int64?
  private var acceptsSubmits = true
  private var fullTenants: Set<String> = []
  var readerFreeMs: Int64 = 0
  var draw: Draw
  var ages: AgeClock
  var mutant: ShellMutant

  init(_ world: World, _ host: QueueHost, _ ledger: SimulatedLedger, _ recovered: RecoveredLedger) {
    self.world = world
    self.host = host
    self.ledger = ledger
    configuration = host.configuration
    draw = Draw(seed: world.scenario.seed, stream: 100_000 + recovered.epoch)
    mutant = ShellMutant(world.mutation, seed: world.scenario.seed)
    ages = AgeClock(wallMs: world.wallMs, monotonicMs: world.nowMs)
    attention = Attention(
      lapse: .milliseconds(configuration.reattachGraceMs), nowMs: world.nowMs)
    pipeline = BatchPipeline(limits: configuration.shell.batch)
    bodies = PayloadCache(bytesMax: configuration.shell.bodyCacheBytesMax)
    results = PayloadCache(bytesMax: configuration.shell.resultCacheBytesMax)
    core = QueueCore(
      configuration: configuration, recovered: recovered, shard: 0,
      moment: Moment(monotonicMs: world.nowMs, wallMs: world.wallMs, seed: draw.next()))
  }

  /// What retention takes for the time.
  func ageMs() -> Int64 { ages.advance(wallMs: world.wallMs, monotonicMs: world.nowMs) }

  var openLinks: [Link] {
    links.values.filter(\.isOpen).sorted { $0.peer.rawValue < $1.peer.rawValue }
  }

  var isSettled: Bool {
    core.jobs.isEmpty && core.deliveries.isEmpty && core.reads.isEmpty && pipeline.isIdle
      && inbox.isEmpty && mailbox.isEmpty
  }

  func isOpen(_ call: CallRef) -> Bool { calls[call].map { !$0.isEnding } ?? false }

  func die() {
    isAlive = false
    for link in openLinks { link.closeByQueue() }
    links = [:]
    core.unlink()
  }

  func stop(untilMs: Int64) {
    stoppedUntilMs = untilMs
    world.after(untilMs - world.nowMs) { [self] in turn() }
  }

  // MARK: What comes

  func accept(_ link: Link) { links[link.peer] = link }

  func take(_ message: InboundMessage) {
    guard isAlive else { return }
    if message.opens {
      lastSerial += 1
      calls[message.call] = Call(serial: lastSerial)
    }
    inbox.append(message)
    turn()
  }

  /// A connection has been silent for too long: what was open on it has ended.
  func miss(_ link: Link) {
    guard isAlive, world.nowMs >= stoppedUntilMs else {
      // It is missed when the process goes on, and has excused everybody.
      if isAlive { world.after(2_500) { [self] in miss(link) } }
      return
    }
    links[link.peer] = nil
    for call in calls.keys.filter({ $0.peer == link.peer }).sorted(by: { $0.call < $1.call }) {
      calls[call] = nil
      apply(.callEnded(call))
    }
    turn()
  }

  /// One round of the loop.
  func turn() {
    guard isAlive, world.problem == nil, world.nowMs >= stoppedUntilMs else { return }
    if attention.mustExcuse(nowMs: world.nowMs) { apply(.silenceExcused) }
    let reports = mailbox
    mailbox = []
    for report in reports {
      switch report {
      case .durable(let sequence): pipeline.durable(sequence)
      case .read(let ticket, let result):
        if let ticket = pipeline.answered(ticket, result) { apply(.read(ticket, result)) }
      }
    }
    var taken = 0
    while taken < inbox.count, !pipeline.isFull {
      admit(inbox[taken])
      taken += 1
    }
    inbox.removeFirst(taken)
    if let wakeMs = core.nextWakeMs, wakeMs <= world.nowMs { apply(.tick) }
    if host.hasSpace != acceptsSubmits || ledger.fullTenants != fullTenants {
      (acceptsSubmits, fullTenants) = (host.hasSpace, ledger.fullTenants)
      apply(.space(acceptsSubmits: acceptsSubmits, fullTenants: fullTenants))
    }
    commitAndSend()
    scheduleWake()
    if !pipeline.isFull {
      attention.listens(fromMs: world.nowMs, untilMs: max(wakeMs ?? 0, world.nowMs))
    }
    world.history.check(self, world, everything: draw.pick(24) == 0)
  }

  private func admit(_ message: InboundMessage) {
    guard let call = calls[message.call], !call.isEnding else { return }
    if case .callEnded = message.input { calls[message.call] = nil }
    apply(mutant.inbound(message.input, core))
  }

  /// The loop waits for what comes and for time, and looks at its disk's space now and then.
  private func scheduleWake() {
    var dueMs = world.nowMs + Int64(configuration.shell.spaceInterval / .milliseconds(1))
    if let coreMs = core.nextWakeMs { dueMs = min(dueMs, coreMs) }
    if let restMs = pipeline.restEndsMs { dueMs = min(dueMs, restMs) }
    guard wakeMs.map({ $0 > dueMs || $0 <= world.nowMs }) ?? true else { return }
    wakeMs = dueMs
    world.after(max(dueMs - world.nowMs, 1)) { [self] in turn() }
  }

  // MARK: What is to be done

  private func apply(_ input: QueueInput) {
    world.note("queue <- \(input)")
    world.history.begin(core)
    core.apply(
      input, at: Moment(monotonicMs: world.nowMs, wallMs: world.wallMs, seed: draw.next()),
      into: &effects)
    world.history.note(effects, of: core, world)
    for effect in mutant.effects(effects, core) { take(effect) }
    effects.removeAll(keepingCapacity: true)
  }

  private func take(_ effect: QueueEffect) {
    world.note("queue -> \(effect)")
    switch effect {
    case .write(let write):
      remember(write)
      pipeline.open.write(write)
    case .read(let ticket, let read): pipeline.open.read(ticket, read)
    case .answer(let call, let message):
      end(call) { Envelope.answer(callID: call.call, bytes(of: message), limits: .init()) }
    case .fail(let call, let error):
      end(call) { [Envelope.failure(callID: call.call, error)] }
    case .finish(let call):
      end(call) { [Envelope(callID: call.call, .status(CallStatus(), payload: nil))] }
    case .attached(let call, let notice): tellWorker(call) { $0.add(notice) }
    case .workerNotice(let call, let notice): tellWorker(call) { $0.add(notice) }
    case .assign(let call, let orders):
      guard instance(of: call) != nil else { return }
      for order in orders {
        pipeline.open.needBody(order.lease.job, cached: bodies[order.lease.job])
        if order.hasPartialScores { pipeline.open.needPartialScores(order.lease.job) }
      }
      tellWorker(call) { $0.add(orders) }
    case .deliver(let call, let orders):
      world.history.send(orders, world)
      guard let instance = instance(of: call) else { return }
      for order in orders where order.outcome.hasResult {
        pipeline.open.needResult(order.outcome.job, cached: results[order.outcome.job])
      }
      pipeline.open.deliver(instance, orders)
    case .deliveriesRecorded(let call, let jobs):
      guard let instance = instance(of: call) else { return }
      pipeline.open.acknowledge(instance, recorded: jobs)
    case .push(let endpoint, let outcome):
      if outcome.hasResult {
        pipeline.open.needResult(outcome.job, cached: results[outcome.job])
      }
      pipeline.open.push(endpoint, outcome)
    // Backups and checks, which nobody asks for here.
    case .perform: break
    case .forgetBody(let job): bodies.remove(job)
    case .forgetResult(let job): results.remove(job)
    }
  }

  private func remember(_ write: LedgerWrite) {
    switch write {
    case .insertJob(let job, let body?) where !job.state.state.isTerminal:
      bodies.insert(body, for: job.id)
    case .insertAttempt(let attempt):
      if let result = attempt.result { results.insert(result, for: attempt.jobID) }
    default: break
    }
  }

  private func instance(of call: CallRef) -> CallInstance? {
    calls[call].map { CallInstance(call: call, serial: $0.serial) }
  }

  private func tellWorker(_ call: CallRef, _ change: (inout WorkerDraft) -> Void) {
    guard let instance = instance(of: call) else { return }
    pipeline.open.tellWorker(instance, change)
  }

  private func end(_ call: CallRef, _ envelopes: () -> [Envelope]) {
    guard let instance = instance(of: call) else { return }
    calls[call]?.isEnding = true
    pipeline.open.send(instance, envelopes(), endsCall: true)
  }

  private func bytes(of message: any Message) -> [UInt8] {
    do {
      return try message.serializedBytes()
    } catch {
      world.fail("an answer cannot be serialized: \(error)")
      return []
    }
  }
}
