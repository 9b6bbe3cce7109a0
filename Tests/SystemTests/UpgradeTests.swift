import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  @Suite struct UpgradeTests {
    /// Writes the fixture as a ledger that was in use a minute ago.
    private func writeLedger(_ system: RunningSystem) async throws {
      let sql = PackageFolder.url.appending(path: "Tests/Fixtures/ledger/v1.sql").path
      let minuteAgoMs = Int64(Date().timeIntervalSince1970 * 1_000) - 60_000
      let columns = [
        "jobs": [
          "deadline_ms", "ready_at_ms", "leased_at_ms", "updated_ms", "delivery_updated_ms",
          "submitted_ms",
        ],
        "attempts": ["started_ms", "ended_ms"],
      ]
      let shifts = columns.sorted { $0.key < $1.key }.flatMap { table, names in
        names.map { "UPDATE \(table) SET \($0) = \($0) + (SELECT ms FROM shift) WHERE \($0) > 0;" }
      }
      let script = """
        .read \(sql)
        CREATE TEMP TABLE shift AS SELECT \(minuteAgoMs) - max(updated_ms) AS ms FROM jobs;
        \(shifts.joined(separator: "\n"))
        """
      let file = try system.folder.write(script, to: "upgrade.sql")
      let sqlite = try ChildProcess(
        "/usr/bin/sqlite3", arguments: ["-bail", system.ledgerPath, ".read \(file)"])
      #expect(try await sqlite.waitForExit() == .status(0), "\(sqlite.text(of: .error))")
    }

    /// A worker that is newer than its queue, and a queue that is newer, or older, than its worker.
    @Test(
      arguments: [
        ([.peer: 2], "protocol version 2 is not spoken here; supported versions: 1 to 1"),
        ([.peer: 2, .queue: 2], "speaks protocol version 2, this side 1"),
        ([.peer: 0, .queue: 0], "speaks protocol version 0, this side 1"),
      ] as [([VersionRelay.Side: UInt8], String)])
    func workerOfAnotherVersionIsRefusedInASentenceAndServedOnceItIsNot(
      _ versions: [VersionRelay.Side: UInt8], _ sentence: String
    ) async throws {
      try await RunningSystem.run { system in
        try await system.withClient { client in
          let relay = try VersionRelay(to: system.workersEndpoint, speaking: versions)
          let worker = try system.start(
            "w1",
            [
              "worker", "--config", system.folder.path("rerankd.yaml"), "--queue",
              "\(relay.endpoint)", "--id", "w1",
            ])
          try await eventually("the reason in the worker's log", timeout: .seconds(30)) {
            worker.text(of: .error).contains(sentence)
          }
          #expect(worker.exit == nil)
          #expect(try await client.workers().map(\.workerID) == ["w0"])
          // The other worker goes on.
          #expect(try await client.rerank(.make()).ranking == [0, 1])

          relay.passUnchanged()
          try await eventually("the worker, after one side's upgrade", timeout: .seconds(60)) {
            try await client.workers().count == 2
          }
        }
      }
    }

    @Test func ledgerOfTheFirstMigrationGoesOnWithEveryJob() async throws {
      let system = try RunningSystem()
      try await writeLedger(system)
      do {
        try await system.startQueue()
        try system.startWorker("w0")
        try await system.withClient { client in
          func job(_ key: String) async throws -> JobDetails {
            try await client.job(
              tenant: "default", idempotencyKey: key, withRequest: true, withAttempts: true)
          }
          // What ended has ended, and what it was is there to be read.
          for key in ["acknowledged", "pending"] {
            let ended = try await job(key)
            #expect(ended.state == .succeeded && ended.attemptRecords.count == 1)
            #expect(try ended.outcome.ranking == [0, 1] && !ended.request.isEmpty)
          }
          #expect(try await job("dead").outcome.error.code == StatusCode.invalidArgument.rawValue)
          #expect(try await job("cancelled").state == .cancelled)
          #expect(try await job("delayed").state == .delayed)
          // What has not goes on: both were leased to a worker that is gone.
          for key in ["ready", "leased"] {
            try await eventually("the end of \(key)", timeout: .seconds(60)) {
              try await job(key).state == .succeeded
            }
          }
          #expect(try await job("leased").attempts == 2)
          // What was submitted then is known by its key.
          let again = try await client.submit([try .make(documents: ["other"], key: "ready")])[0]
          #expect(again.error.code == StatusCode.alreadyExists.rawValue)
          // What nobody acknowledged is delivered, and what somebody did is not.
          var delivered: Set<String> = []
          for try await delivery in client.receive(channel: "mine") {
            delivered.insert(delivery.outcome.idempotencyKey)
            await delivery.acknowledge()
            if delivered.count == 5 { break }
          }
          #expect(delivered == ["pending", "dead", "cancelled", "ready", "leased"])
        }
        let queue = try system.process("queue")
        queue.signal(SIGTERM)
        #expect(try await queue.waitForExit(timeout: .seconds(60)) == .status(0))
        try LedgerCopy.check(system)
      } catch {
        print(system.lastLogLines)
        throw error
      }
    }
  }
}
