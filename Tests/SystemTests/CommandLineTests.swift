import TestSupport
import Testing

extension SystemTests {
  /// What `rerankd` says to a person who starts it wrongly; for rerankctl see the suites by noun.
  @Suite struct CommandLineTests {
    @Test func aQueueThatCannotStartSaysWhy() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let elsewhere = [
          "--producer-endpoint", "ipc://" + system.folder.path("p"), "--worker-endpoint",
          "ipc://" + system.folder.path("w"), "--intake-endpoint", "off",
        ]
        let unknown = try system.folder.write("queue:\n  lease: 3s\n", to: "unknown.yaml")
        let cases: [([String], Int32, String)] = [
          (["--ledger", system.ledgerPath] + elsewhere, 74, "is held by process"),
          (["--config", unknown], 78, "unknown.yaml:2: queue.lease: no such setting"),
          (["--producer-endpoint", "tcp://0.0.0.0:7801"], 78, "by --insecure"),
        ]
        for (arguments, code, message) in cases {
          let queue = try system.start("other queue", ["queue"] + arguments)
          #expect(try await queue.waitForExit() == .status(code), "\(arguments)")
          #expect(queue.text(of: .error).contains(message), "\(queue.text(of: .error))")
        }
      }
    }
  }
}
