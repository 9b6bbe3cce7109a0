import Foundation
import RerankdClient
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

extension SystemTests {
  /// Everything that can break breaks under load, one thing after another and several at a time, and
  /// every job ends once and as everybody was told.
  ///
  /// `RERANKD_SEED` makes the choices again; `RERANKD_KILLS` makes it a soak.
  @Suite(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: RunningGateway.curl),
      "curl is missing: deploy/prerequisites --tests"))
  struct MixedFaultTests {
    private static let models = ["remote", "builtin"]

    @Test func everyJobEndsOnceWhateverBreaks() async throws {
      let (seed, kills) = (TestSettings.seed, TestSettings.kills ?? 30)
      print("MixedFaultTests: seed \(seed) (RERANKD_SEED), \(kills) kills (RERANKD_KILLS)")
      let hub = try FakeHub()
      let proxy = try FaultProxy(before: hub.port, seed: seed)
      let tokens = try TemporaryFolder("token")
      let configuration = try proxy.configuration(
        tokens, backend: "documents_max: 30, response_timeout: 2s, connect_timeout: 2s")
      try await RunningSystem.run(
        configuration: configuration + "\n" + RunningSystem.briskTimes + "\n  shutdown_grace: 3s",
        workers: FaultMaker.workers.count
      ) { system in
        let load = SteadyLoad(
          models: Self.models, documents: 1...6, largeEvery: 400, limitedEvery: 21)
        let surroundings = FaultMaker.Surroundings(
          channel: load.channel, gatewayPort: try FreePort.next(), proxy: proxy, hub: hub)
        try await system.startGateway(port: surroundings.gatewayPort)
        let counts = Mutex<[FaultMaker.Fault: Int]>([:])
        let jobs = try await load.run(on: system, seed: seed &+ 1, pauses: [{ .zero }, slow(seed)])
        {
          var faults = FaultMaker(
            system: system, history: load.history, seed: seed,
            // What dies most in earnest, and what can break in the most ways, more often than the rest.
            faults: FaultMaker.Fault.allCases + [
              .killQueue, .killWorker, .endWorker, .breakNetwork, .breakNetwork,
            ],
            surroundings: surroundings)
          let made = try await withHTTPClients(of: surroundings.gatewayPort, load.history) {
            try await faults.run(kills: kills)
          }
          counts.withLock { $0 = made }
        }
        let record = load.history.record
        let ends = Dictionary(grouping: record.delivered.values, by: \.state)
          .map { "\($0.key) \($0.value.count)" }
        let epochs = try await system.withClient { try await $0.status().epoch }
        let made = counts.withLock(\.self).sorted { $0.key.rawValue < $1.key.rawValue }
        print(
          """
          MixedFaultTests: \(jobs) jobs, \(record.answered.count) of them over HTTP, delivered as \
          \(ends.sorted().joined(separator: ", ")); \
          \(record.resubmissions) submitted again, \(record.redeliveries) delivered again, \
          \(epochs) epochs; \(made.map { "\($0.key) \($0.value)" }.joined(separator: ", ")); \
          \(proxy.counts)
          """)
        for name in FaultMaker.workers + ["gateway", "queue"] { try await system.end(name) }
        try LedgerCopy.check(system)
      }
    }

    /// Mostly within the lease of a delivery, and sometimes beyond it.
    private func slow(_ seed: UInt64) -> @Sendable () -> Duration {
      let random = Mutex(SeededGenerator(seed: seed &+ 2))
      return {
        random.withLock { random in
          .milliseconds(
            Int.random(in: 0..<20, using: &random) == 0
              ? 2_500 : Int.random(in: 0...100, using: &random))
        }
      }
    }

    private func withHTTPClients<Value: Sendable>(
      of port: UInt16, _ history: JobHistory, _ body: () async throws -> Value
    ) async throws -> Value {
      let clients = (0..<2).map {
        HTTPLoad(name: "http-\($0)", models: Self.models, history: history, port: port)
      }
      return try await withThrowingTaskGroup(of: Void.self) { group in
        for client in clients { group.addTask { try await client.run() } }
        let value = try await body()
        for client in clients { client.stop() }
        try await group.waitForAll()
        return value
      }
    }
  }
}
