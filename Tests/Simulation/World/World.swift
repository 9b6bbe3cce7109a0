import RerankdProtocol

@testable import QueueRole

/// One queue with its disk, producers, workers, consumers and operators, drawn from a seed, in a
/// time of their own: an event after the other, whichever is due first.
///
/// The queue is the real one but for its sockets, threads and clocks: `QueueCore`, the batches and
/// drafts of its shell, the ledger on SQLite. The others are models that do what their real
/// counterparts may do, and worse. `History` watches what everybody was told and what the disk
/// holds.
final class World {
  struct Event: Comparable {
    let atMs: Int64
    let order: UInt64
    let action: () -> Void

    static func < (left: Event, right: Event) -> Bool {
      left.atMs != right.atMs ? left.atMs < right.atMs : left.order < right.order
    }

    static func == (left: Event, right: Event) -> Bool { left.order == right.order }
  }

  let scenario: Scenario
  let mutation: Mutation?
  let history: History
  private(set) var nowMs: Int64 = 1_000
  /// What the wall clock shows beside the time that passes.
  var wallOffsetMs: Int64 = 1_790_000_000_000
  private(set) var isFaulty = true
  private(set) var problem: String?
  private(set) var trace: [String] = []
  private(set) var eventCount = 0
  let keepsTrace: Bool

  private(set) lazy var host = QueueHost(self)
  private(set) lazy var operators = OperatorModel(self)
  private(set) var producers: [ProducerModel] = []
  private(set) var workers: [WorkerModel] = []
  private(set) var consumers: [ConsumerModel] = []
  private var events = LazyHeap<Event>()
  private var lastOrder: UInt64 = 0
  private var lastPeer: UInt64 = 0
  private var streams: UInt64 = 0
  private var weather: Draw

  static let tenants = ["a", "b", "c"]
  static let channels = ["x", "y"]

  init(_ scenario: Scenario, mutation: Mutation?, keepsTrace: Bool) {
    self.scenario = scenario
    self.mutation = mutation
    self.keepsTrace = keepsTrace
    history = History()
    weather = Draw(seed: scenario.seed, stream: 1)
    producers = (0..<scenario.producers).map { ProducerModel(self, index: $0) }
    workers = (0..<scenario.workers).map { WorkerModel(self, index: $0) }
    consumers = (0..<scenario.consumers).map { ConsumerModel(self, index: $0) }
  }

  var wallMs: Int64 { nowMs + wallOffsetMs }

  func after(_ ms: Int64, _ action: @escaping () -> Void) {
    lastOrder += 1
    events.push(Event(atMs: nowMs + max(ms, 0), order: lastOrder, action: action)) { _ in true }
  }

  /// The first problem counts, and ends the world.
  func fail(_ what: String) {
    guard problem == nil else { return }
    problem = "at \(nowMs) ms: \(what)"
    note("PROBLEM: \(what)")
  }

  func note(_ text: @autoclosure () -> String) {
    guard keepsTrace else { return }
    let words = ["QueueRole.", "RerankdProtocol.", "Ledger."].reduce(text()) {
      $0.split(separator: $1, omittingEmptySubsequences: false).joined()
    }
    trace.append("\(nowMs) \(words.prefix(400))")
  }

  func newPeer() -> PeerID {
    lastPeer += 1
    return PeerID(rawValue: lastPeer)
  }

  func has(_ fault: Fault) -> Bool { isFaulty && scenario.faults.contains(fault) }

  /// Both phases: faults, and then the time in which everything must end.
  func run() {
    host.start()
    for producer in producers { producer.start() }
    for worker in workers { worker.start() }
    for consumer in consumers { consumer.start() }
    operators.start()
    blow()
    pass(untilMs: nowMs + scenario.faultyMs) { false }
    heal()
    let endMs = nowMs + Self.settlingMsMax
    pass(untilMs: endMs) { [self] in host.isSettled && producers.allSatisfy(\.isSettled) }
    if problem == nil, !(host.isSettled && producers.allSatisfy(\.isSettled)) {
      fail("not everything has ended \(Self.settlingMsMax) ms after the faults: \(host.unsettled)")
    }
    host.finish()
    events = LazyHeap()
  }

  /// What is left then ends within this time: every wait in the configuration is shorter than a
  /// tenth of it, but for deadlines, which most jobs never meet.
  private static var settlingMsMax: Int64 { 120_000 }

  private func pass(untilMs: Int64, unless isOver: () -> Bool) {
    while problem == nil, let event = events.top, event.atMs <= untilMs {
      // Few events change whether it is over; to look costs more than most of them.
      if eventCount.isMultiple(of: 16), isOver() { return }
      events.pop()
      nowMs = max(nowMs, event.atMs)
      eventCount += 1
      event.action()
    }
    if problem == nil, !isOver() { nowMs = untilMs }
  }

  /// Faults that strike by themselves.
  private func blow() {
    after(Int64(weather.pick(1_200))) { [self] in
      guard isFaulty else { return }
      strike()
      blow()
    }
  }

  private func strike() {
    switch weather.pick(9) {
    case 0 where has(.kill): host.crash(.killed)
    case 1 where has(.powerCut): host.crash(.powerCut)
    case 2 where has(.stop): host.stop(ms: Int64(weather.pick(6_000)))
    case 3 where has(.wallClock):
      wallOffsetMs += Int64(weather.pick(7_200_000)) - 3_600_000
      note("the wall clock jumps")
    case 4 where has(.diskFull): host.fillDisk(ms: Int64(weather.pick(3_000)))
    case 5 where has(.workerCrash): weather.any(workers)?.crash()
    case 6 where has(.workerStop): weather.any(workers)?.stop(ms: Int64(weather.pick(5_000)))
    case 7 where has(.brokenLinks): breakLinks()
    default: host.breakDisk()
    }
  }

  private func breakLinks() {
    for link in host.links where weather.chance(30) { link.shatter() }
  }

  private func heal() {
    guard problem == nil else { return }
    note("the faults end")
    isFaulty = false
    host.heal()
    for worker in workers { worker.heal() }
    for producer in producers { producer.heal() }
    for consumer in consumers { consumer.heal() }
    operators.heal()
    // Every outcome finds somebody who acknowledges it.
    for tenant in Self.tenants {
      for channel in Self.channels {
        let consumer = ConsumerModel(
          self, index: consumers.count, tenant: tenant, channel: channel)
        consumers.append(consumer)
        consumer.start()
      }
    }
  }
}

/// A sequence of draws.
struct Draw {
  private var random: SplitMix64

  init(seed: UInt64, stream: UInt64) {
    random = SplitMix64(seed: seed &* 0x9E6C_63D0_876A_68EE &+ stream &* 0xD1B5_4A32_D192_ED03)
  }

  mutating func next() -> UInt64 { random.next() }
  mutating func pick(_ count: Int) -> Int { Int(random.next() >> 33) % count }
  mutating func chance(_ percent: Int) -> Bool { pick(100) < percent }
  mutating func among<Option>(_ options: [Option]) -> Option { options[pick(options.count)] }
  mutating func any<Option>(_ options: [Option]) -> Option? {
    options.isEmpty ? nil : options[pick(options.count)]
  }
}
