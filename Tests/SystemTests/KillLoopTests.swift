import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// Processes die at random points under load, and the promises hold: every acknowledged job ends
  /// exactly once, a key is one job, an outcome is delivered until it is acknowledged, and the ledger
  /// is whole after every crash.
  ///
  /// `RERANKD_SEED` runs a loop's choices again; `RERANKD_KILLS` makes it a soak.
  @Suite struct KillLoopTests {
    private static let workers = (0..<4).map { "w\($0)" }

    @Test func everyAcknowledgedJobEndsExactlyOnceWhateverIsKilled() async throws {
      let (seed, kills) = (TestSettings.seed, TestSettings.kills)
      print("KillLoopTests: seed \(seed) (RERANKD_SEED), \(kills) kills (RERANKD_KILLS)")
      try await RunningSystem.run(workers: Self.workers.count) { system in
        let load = KillLoopLoad()
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await load.produce(to: system, seed: seed &+ 1) }
          group.addTask { try await load.consume(from: system) }
          group.addTask {
            var killer = Killer(system: system, load: load, seed: seed)
            try await killer.run(kills: kills)
            load.stopProducing()
          }
          try await group.waitForAll()
        }
        try await verify(load, system)
        let queue = try system.process("queue")
        queue.signal(SIGTERM)
        #expect(try await queue.waitForExit(timeout: .seconds(60)) == .status(0))
        try LedgerCopy.check(system)
      }
    }

    private func verify(_ load: KillLoopLoad, _ system: RunningSystem) async throws {
      let acknowledged = load.acknowledged
      let delivered = load.delivered
      try await system.withClient { client in
        for (key, id) in acknowledged {
          let job = try await client.job(JobID(rawValue: id), withAttempts: true)
          // So many attempts and lost workers are allowed that nothing but success is right.
          try #require(job.state == .succeeded, "\(key): \(job.state) \(job.outcome.error.message)")
          #expect(job.spec.idempotencyKey == key)
          #expect(job.attemptRecords.filter { $0.end == .succeeded }.count == 1, "job \(id)")
          #expect(job.outcome.result == delivered[id], "job \(id)")
          try await eventually("the acknowledgement of job \(id)") {
            try await client.job(JobID(rawValue: id)).delivery == .acknowledged
          }
        }
        #expect(try await jobCount(client) == acknowledged.count)
        print(
          """
          KillLoopTests: \(acknowledged.count) jobs, \(load.resubmissions) submitted again, \
          \(load.redeliveries) delivered again, \(try await client.status().epoch) epochs
          """)
      }
    }

    private func jobCount(_ client: QueueClient) async throws -> Int {
      var request = ListJobsRequest()
      request.limit = 1_000
      var count = 0
      repeat {
        let page = try await client.jobs(request)
        count += page.jobs.count
        request.beforeJobID = page.nextBeforeJobID
      } while request.beforeJobID != 0
      return count
    }
  }
}

/// Kills and stops processes at random points, and starts others in their place.
private struct Killer {
  let system: RunningSystem
  let load: KillLoopLoad
  var random: SeededGenerator
  /// Workers that are stopped, and when they go on: past their lease.
  private var stopped: [(name: String, until: ContinuousClock.Instant)] = []

  private static let workers = (0..<4).map { "w\($0)" }
  /// The lease of `RunningSystem.briskTimes`, and some more.
  private static let stop = Duration.milliseconds(3_500)

  init(system: RunningSystem, load: KillLoopLoad, seed: UInt64) {
    self.system = system
    self.load = load
    random = SeededGenerator(seed: seed)
  }

  mutating func run(kills: Int) async throws {
    var killed = 0
    while killed < kills {
      // Random points need random times; and some work is done between two of them.
      let delivered = load.deliveredCount
      try await Task.sleep(for: .milliseconds(Int.random(in: 0...600, using: &random)))
      try await eventually("an outcome after kill \(killed)", timeout: .seconds(120)) {
        try goOn()
        return load.deliveredCount > delivered
      }
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<2:
        try await killQueue()
        killed += 1
      case 2..<4:
        try stopWorker()
      default:
        try await killWorker()
        killed += 1
      }
    }
    for (name, _) in stopped { try system.process(name).signal(SIGCONT) }
  }

  private mutating func killQueue() async throws {
    try await system.kill("queue")
    try LedgerCopy.check(system)
    try await system.startQueue()
  }

  private mutating func killWorker() async throws {
    let name = Self.workers.randomElement(using: &random) ?? "w0"
    stopped.removeAll { $0.name == name }
    try await system.kill(name)
    try system.startWorker(name)
  }

  private mutating func stopWorker() throws {
    // At least one must go on, or nothing ends.
    guard stopped.count < Self.workers.count - 1 else { return }
    let name = Self.workers.randomElement(using: &random) ?? "w0"
    guard !stopped.contains(where: { $0.name == name }) else { return }
    try system.process(name).signal(SIGSTOP)
    stopped.append((name, .now + Self.stop))
  }

  private mutating func goOn() throws {
    for (name, until) in stopped where until <= .now { try system.process(name).signal(SIGCONT) }
    stopped.removeAll { $0.until <= .now }
  }
}
