import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl ledger`, up to the loss of a ledger and its return.
  @Suite struct LedgerCommandTests {
    private static let shapes = ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"]

    @Test func aRunningQueueChecksMeasuresAndCopiesItsLedger() async throws {
      try await RunningSystem.run { system in
        let id = try await system.withClient { try await $0.submit([.make()])[0].id }
        try await system.waitForEnd(of: [id])
        let check = try await system.control(["ledger", "check"])
        #expect(check.exit == .status(0))
        #expect(check.output.contains(/^sound: 1 job looked at/))
        #expect(
          try await system.json(["ledger", "check"], as: "ledger-check")["sound"].bool == true)

        let text = try await system.control(["ledger", "stats"])
        #expect(text.rows.contains(["succeeded", "1"]) && text.rows.contains { $0[0] == "TABLE" })
        let stats = try await system.json(["ledger", "stats"], as: "ledger-stats")
        #expect(stats["states"]["succeeded"].number == 1)
        #expect(stats["ledger"]["commits"].number ?? 0 > 0)
        let tables = stats["tables"].items
        #expect(tables.first { $0["name"].text == "jobs" }?["rows"].number == 1)

        let backup = try await system.json(
          ["ledger", "backup", "--name", "one.sqlite"], as: "ledger-backup")
        let path = try #require(backup["path"].text)
        #expect(backup["jobs"].number == 1 && path.hasSuffix("/one.sqlite"))
        let again = try await system.control(["ledger", "backup", "--name", "one.sqlite"])
        #expect(again.exit == .status(1) && again.error.contains("ALREADY_EXISTS"))
        let unnamed = try await system.control(["ledger", "backup"])
        #expect(unnamed.output.contains(#/rerankd-0-\d{8}T\d{6}.*\.sqlite\n1 job, /#))
        #expect(try await system.control(["status"]).output.contains(#/ free, backup \d+ s ago/#))

        // A backup is looked at without a queue; the ledger of one that runs is left alone.
        let offline = try await system.lines(
          ["ledger", "check", "--file", path], as: "ledger-check")
        #expect(offline[0]["jobs"].number == 1)
        let measured = try await system.lines(
          ["ledger", "stats", "--file", path], as: "ledger-stats")
        #expect(measured[0]["states"] == stats["states"] && measured[0]["ledger"] == .null)
        for verb in ["check", "stats"] {
          let held = try await system.control(["ledger", verb, "--file", system.ledgerPath])
          #expect(held.exit == .status(1) && held.error.contains("is held by process"))
        }
      }
    }

    /// The drill of the operator's page: a backup under load, kill -9, the ledger gone, and back.
    @Test func whatWasAcknowledgedBeforeTheBackupComesBackAndEndsOnce() async throws {
      try await RunningSystem.run { system in
        try await system.withClient { client in
          let early = try await client.submit((0..<40).map { try .make(key: "early-\($0)") })
          // Load that goes on while the backup is written.
          let load = Task {
            var number = 0
            while !Task.isCancelled {
              _ = try? await client.submit([.make(key: "late-\(number)")])
              number += 1
            }
          }
          let backup = try await system.json(["ledger", "backup"], as: "ledger-backup")
          let path = try #require(backup["path"].text)
          #expect(backup["jobs"].number ?? 0 >= 40)
          try await system.kill("queue")
          load.cancel()
          await load.value
          for name in Self.shapes {
            try? FileManager.default.removeItem(atPath: system.folder.path(name))
          }

          let restored = try await system.json(
            ["ledger", "restore", path, "--to", system.ledgerPath], as: "ledger-restore")
          #expect(restored["jobs"] == backup["jobs"] && restored["kept_aside"] == .null)
          try await system.startQueue()
          try await system.waitForEnd(of: early.map(\.id))
          let jobs = try await system.lines(["jobs", "list", "--all"], as: "jobs-list")
          #expect(jobs.count >= 40)
          for outcome in early {
            let job = try #require(
              jobs.first { $0["job_id"].text == outcome.id.description })
            #expect(job["state"].text == "succeeded")
            let shown = try await client.job(outcome.id, withAttempts: true)
            #expect(shown.attemptRecords.count { $0.end == .succeeded } == 1)
          }
          // Ids that were given out after the backup are not given out again.
          let after = try await client.submit([.make()])[0].id
          #expect(!jobs.contains { $0["job_id"].text == after.description })
          #expect(try await system.control(["ledger", "check"]).exit == .status(0))
        }
      }
    }

    @Test func restoreReplacesNothingUnlessItIsTold() async throws {
      try await RunningSystem.run(workers: 0) { system in
        _ = try await system.withClient { try await $0.submit([.make()]) }
        let path = try #require(
          try await system.json(["ledger", "backup"], as: "ledger-backup")["path"].text)
        let restore = ["ledger", "restore", path, "--to", system.ledgerPath]
        let running = try await system.control(restore + ["--replace"])
        #expect(running.exit == .status(1) && running.error.contains("is held by process"))

        _ = try await system.withClient { try await $0.submit([.make()]) }
        try await system.kill("queue")
        let before = try Data(contentsOf: URL(filePath: system.ledgerPath))
        let refused = try await system.control(restore)
        #expect(refused.exit == .status(1))
        #expect(refused.error.contains("--replace"))
        #expect(try Data(contentsOf: URL(filePath: system.ledgerPath)) == before)

        let replaced = try await system.json(restore + ["--replace"], as: "ledger-restore")
        let aside = try #require(replaced["kept_aside"].text)
        #expect(replaced["jobs"].number == 1)
        let kept = try await system.json(
          ["ledger", "stats", "--file", aside], as: "ledger-stats")
        #expect(kept["states"]["ready"].number == 2)
      }
    }

    @Test func flippedBytesAreFoundAndSuchABackupIsNotRestored() async throws {
      try await RunningSystem.run(workers: 0) { system in
        _ = try await system.withClient { client in
          try await client.submit((0..<300).map { _ in try .make() })
        }
        let path = try #require(
          try await system.json(["ledger", "backup"], as: "ledger-backup")["path"].text)
        let file = try FileHandle(forUpdating: URL(filePath: path))
        let pages = try file.seekToEnd() / 4_096
        for page in stride(from: 6, to: pages, by: 3) {
          try file.seek(toOffset: page * 4_096 + 8)
          try file.write(contentsOf: Data(repeating: 0xA5, count: 64))
        }
        try file.close()
        let check = ["ledger", "check", "--file", path]
        let found = try await system.json(check, as: "ledger-check", exit: 1)
        #expect(found["sound"].bool == false && found["problems"].items.count > 1)
        let text = try await system.control(check)
        #expect(text.exit == .status(1))
        #expect(text.output.contains("restore the newest backup that is sound"))

        let elsewhere = system.folder.path("elsewhere.sqlite")
        let restore = try await system.control(["ledger", "restore", path, "--to", elsewhere])
        #expect(restore.exit == .status(1))
        #expect(restore.error.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: elsewhere))
      }
    }
  }
}
