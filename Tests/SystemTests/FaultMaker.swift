import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport

/// Makes faults at random points of a load, all chosen by the seed, and puts right what it broke:
/// who dies has a successor, who stops goes on, and the network is as it was.
struct FaultMaker {
  enum Fault: String, CaseIterable {
    case killQueue
    case endQueue
    case stopQueue
    case killWorker
    case endWorker
    case stopWorker
    case killGateway
    case endGateway
    case killConsumer
    case deafConsumer
    case breakNetwork
    case breakBackend
    /// No faults, but what comes from elsewhere: settings read anew, and the end of a job.
    case reload
    case cancelJob

    var kills: Bool {
      switch self {
      case .killQueue, .endQueue, .killWorker, .endWorker, .killGateway, .endGateway,
        .killConsumer:
        true
      case .stopQueue, .stopWorker, .deafConsumer, .breakNetwork, .breakBackend, .reload,
        .cancelJob:
        false
      }
    }
  }

  /// What stands outside of the system, and can be broken as well.
  struct Surroundings {
    var channel: String
    var gatewayPort: UInt16
    var proxy: FaultProxy
    var hub: FakeHub
  }

  static let workers = (0..<4).map { "w\($0)" }
  /// Beyond the lease of `RunningSystem.briskTimes`, and up to beyond the silence after which a peer
  /// is gone.
  private static let longStop = 3_300...7_000

  /// What a process says when it has its signals in hand.
  private static let isUp = "metrics and health on"

  private let system: RunningSystem
  private let history: JobHistory
  private let faults: [Fault]
  private let surroundings: Surroundings?
  private var random: SeededGenerator
  private var counts: [Fault: Int] = [:]
  /// Workers that are stopped, and when they go on: past their lease.
  private var stopped: [(name: String, until: ContinuousClock.Instant)] = []
  private var broken: (network: ContinuousClock.Instant?, backend: ContinuousClock.Instant?)

  /// - Parameter faults: drawn with the same chance each, so the more often one is in it, the more
  ///   often it is made.
  init(
    system: RunningSystem, history: JobHistory, seed: UInt64, faults: [Fault],
    surroundings: Surroundings? = nil
  ) {
    self.system = system
    self.history = history
    self.faults = faults
    self.surroundings = surroundings
    random = SeededGenerator(seed: seed)
  }

  /// - Returns: how often each fault was made.
  @discardableResult
  mutating func run(kills: Int) async throws -> [Fault: Int] {
    var killed = 0
    while killed < kills {
      // Random points need random times; and some work is done between two of them.
      let told = history.toldCount
      try await Task.sleep(for: milliseconds(0...600))
      try await eventually("an outcome after \(counts)", timeout: .seconds(120)) {
        try putRight(by: .now)
        return history.toldCount > told
      }
      guard let fault = faults.randomElement(using: &random) else { break }
      try await make(fault)
      counts[fault, default: 0] += 1
      if fault.kills { killed += 1 }
    }
    try putRight(by: nil)
    return counts
  }

  private mutating func make(_ fault: Fault) async throws {
    switch fault {
    case .killQueue:
      try await system.kill("queue")
      try LedgerCopy.check(system)
      try await system.startQueue()
    case .endQueue:
      try await system.end("queue")
      try LedgerCopy.check(system)
      try await system.startQueue()
    case .stopQueue: try await stopQueue()
    case .killWorker:
      let name = chooseWorker()
      try await system.kill(name)
      try system.startWorker(name)
    case .endWorker: try await endWorker()
    case .stopWorker: try stopWorker()
    case .killGateway:
      try await system.kill("gateway")
      try await startGateway()
    case .endGateway:
      try await system.end("gateway")
      try await startGateway()
    case .killConsumer: try await killConsumer()
    case .deafConsumer: try await listenInVain()
    case .breakNetwork: breakNetwork()
    case .breakBackend: breakBackend()
    case .reload: try reload()
    case .cancelJob: try await cancelJob()
    }
  }

  /// - Parameter time: nil for everything.
  private mutating func putRight(by time: ContinuousClock.Instant?) throws {
    func isOver(_ until: ContinuousClock.Instant) -> Bool { time.map { until <= $0 } ?? true }
    for (name, until) in stopped where isOver(until) { try system.process(name).signal(SIGCONT) }
    stopped.removeAll { isOver($0.until) }
    if let until = broken.network, isOver(until) {
      surroundings?.proxy.conditions = .clear
      broken.network = nil
    }
    if let until = broken.backend, isOver(until) {
      surroundings?.hub.fallback = .scores
      broken.backend = nil
    }
  }

  private mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
    .milliseconds(Int.random(in: range, using: &random))
  }
}

// Processes of the system.
extension FaultMaker {
  /// One that is not stopped from here on.
  private mutating func chooseWorker() -> String {
    let name = Self.workers.randomElement(using: &random) ?? "w0"
    stopped.removeAll { $0.name == name }
    return name
  }

  private mutating func endWorker() async throws {
    let name = chooseWorker()
    let worker = try system.process(name)
    worker.signal(SIGCONT)
    // Before that there is nothing yet that an end could break.
    try await worker.line(containing: Self.isUp, on: .error, timeout: .seconds(60))
    try await system.end(name)
    try system.startWorker(name)
  }

  private mutating func stopWorker() throws {
    // At least one must go on, or nothing ends.
    guard stopped.count < Self.workers.count - 1 else { return }
    let name = Self.workers.randomElement(using: &random) ?? "w0"
    guard !stopped.contains(where: { $0.name == name }) else { return }
    try system.process(name).signal(SIGSTOP)
    stopped.append((name, .now + milliseconds(Self.longStop)))
  }

  /// For longer than heartbeats and shorter than leases, or for longer than both.
  private mutating func stopQueue() async throws {
    let queue = try system.process("queue")
    queue.signal(SIGSTOP)
    defer { queue.signal(SIGCONT) }
    try await Task.sleep(
      for: milliseconds(Bool.random(using: &random) ? 700...2_000 : Self.longStop))
  }

  private func reload() throws {
    for name in ["queue", "gateway"] + Self.workers {
      let process = try system.process(name)
      // Before that it would end by it, as any process does.
      guard process.text(of: .error).contains(Self.isUp) else { continue }
      process.signal(SIGHUP)
    }
  }

  private func startGateway() async throws {
    guard let surroundings else { return }
    try await system.startGateway(port: surroundings.gatewayPort)
  }
}

// Those who are none of the system.
extension FaultMaker {
  /// It acknowledges what it has printed, so what it has printed was told.
  private mutating func killConsumer() async throws {
    guard let surroundings else { return }
    let consumer = try system.startControl([
      "results", "--reply-channel", surroundings.channel, "--follow", "--output", "jsonl",
    ])
    try await Task.sleep(for: milliseconds(200...1_200))
    consumer.signal(SIGKILL)
    guard try await consumer.waitForExit() == .signal(SIGKILL) else {
      throw BrokenPromise("the consumer ended by itself: \(consumer.text(of: .error))")
    }
    for line in consumer.text(of: .output).split(separator: "\n") {
      // The last line may be cut off: it was not acknowledged.
      guard let printed = try? JSONDecoder.snakeCase.decode(Printed.self, from: Data(line.utf8)),
        let id = JobID(printed.jobId)
      else { continue }
      history.note(printed: (printed.results ?? []).map(\.document), of: id.rawValue)
    }
  }

  private struct Printed: Decodable {
    var jobId: String
    /// Of one that succeeded.
    var results: [RankedAnswer]?
  }

  /// Takes what it can get, acknowledges nothing, and goes.
  private mutating func listenInVain() async throws {
    guard let surroundings else { return }
    let client = try system.client()
    let (history, most) = (history, Int.random(in: 1...50, using: &random))
    let time = milliseconds(100...3_000)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        var taken = 0
        for try await delivery in client.receive(channel: surroundings.channel) {
          try history.note(delivery.outcome)
          taken += 1
          if taken == most { break }
        }
      }
      group.addTask { try await Task.sleep(for: time) }
      try await group.next()
      group.cancelAll()
    }
    await client.close()
  }

  private mutating func cancelJob() async throws {
    guard let id = history.outstanding.sorted().randomElement(using: &random) else { return }
    let client = try system.client(timeout: .seconds(5))
    history.willCancel(id)
    do {
      history.note(cancelled: id, nowIs: try await client.cancel(JobID(rawValue: id)))
    } catch {
      // It may have been cancelled or not.
      guard [.unavailable, .deadlineExceeded].contains(error.code) else { throw error }
    }
    await client.close()
  }

  private mutating func breakNetwork() {
    guard let surroundings else { return }
    let afterBytes = Int.random(in: 0...600, using: &random)
    let faults: [NetworkConditions] = [
      .init(entrance: .refused), .init(entrance: .reset), .init(entrance: .blackHole),
      .init(latency: milliseconds(10...400), jitter: milliseconds(0...400)),
      .init(bytesPerSecond: Int.random(in: 300...5_000, using: &random)),
      .init(isStill: true),
      .init(cut: .init(.request, afterBytes: afterBytes, by: .reset)),
      .init(cut: .init(.answer, afterBytes: afterBytes, by: .reset)),
      .init(cut: .init(.answer, afterBytes: afterBytes, by: .close)),
    ]
    surroundings.proxy.conditions = faults.randomElement(using: &random) ?? .clear
    broken.network = .now + milliseconds(300...4_000)
  }

  /// Answers that say nothing of the documents: they must cost nobody a job.
  private mutating func breakBackend() {
    guard let surroundings else { return }
    let faults: [FakeHub.Answer] = [
      .unavailable, .tooManyRequests(retryAfter: "1"), .resetInBody, .resetBeforeHead, .brokenJSON,
    ]
    surroundings.hub.fallback = faults.randomElement(using: &random) ?? .scores
    broken.backend = .now + milliseconds(300...3_000)
  }
}
