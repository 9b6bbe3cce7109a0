import RerankdClient
import RerankdProtocol
import Testing

extension SystemTests {
  /// Processes die at random points under load, and the promises hold: every acknowledged job ends
  /// exactly once, a key is one job, an outcome is delivered until it is acknowledged, and the ledger
  /// is whole after every crash.
  ///
  /// `RERANKD_SEED` runs a loop's choices again; `RERANKD_KILLS` makes it a soak.
  @Suite struct KillLoopTests {
    @Test func everyAcknowledgedJobEndsExactlyOnceWhateverIsKilled() async throws {
      let (seed, kills) = (TestSettings.seed, TestSettings.kills ?? 50)
      print("KillLoopTests: seed \(seed) (RERANKD_SEED), \(kills) kills (RERANKD_KILLS)")
      try await RunningSystem.run(workers: FaultMaker.workers.count) { system in
        let load = SteadyLoad()
        // So many attempts and lost workers are allowed that nothing but success is right.
        let jobs = try await load.run(on: system, seed: seed &+ 1) {
          var faults = FaultMaker(
            system: system, history: load.history, seed: seed,
            faults: [
              .killQueue, .killWorker, .killWorker, .killWorker, .stopWorker,
            ])
          try await faults.run(kills: kills)
        }
        let record = load.history.record
        let epochs = try await system.withClient { try await $0.status().epoch }
        print(
          """
          KillLoopTests: \(jobs) jobs, \(record.resubmissions) submitted again, \
          \(record.redeliveries) delivered again, \(epochs) epochs
          """)
        try await system.end("queue")
        try LedgerCopy.check(system)
      }
    }
  }
}
