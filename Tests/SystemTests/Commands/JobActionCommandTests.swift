import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl jobs retry`, `cancel`, `purge` and `export`: by ids, and by filters over several
  /// pages.
  @Suite struct JobActionCommandTests {
    /// More than two of the thousands that one call takes.
    private static let many = 2_100

    private func submit(_ system: RunningSystem, _ count: Int) async throws -> [String] {
      try await system.withClient { client in
        try await client.submit(
          (0..<count).map { number in try .make(documents: ["document \(number)"]) }
        ).map(\.id.description)
      }
    }

    private func depth(_ system: RunningSystem, _ state: String) async throws -> Int {
      try await system.lines(["jobs", "list", "--all", "--state", state], as: "jobs-list").count
    }

    @Test func jobsAreCancelledRetriedAndPurgedByTheirIds() async throws {
      // Without a worker the jobs wait for as long as the test wants.
      try await RunningSystem.run(workers: 0) { system in
        let ids = try await submit(system, 2)
        let survey = try await system.json(
          ["jobs", "cancel", ids[0], "0-999", "--dry-run"], as: "jobs-cancel", exit: 1)
        #expect(survey["jobs"].number == 1)
        #expect(survey["impossible"][0]["error"]["code"].text == "NOT_FOUND")
        #expect(try await depth(system, "ready") == 2)

        let cancelled = try await system.control(["jobs", "cancel", ids[0]])
        #expect(cancelled.exit == .status(0))
        #expect(
          cancelled.rows == [["JOB", "RESULT"], [ids[0], "cancelled"], ["1 job cancelled"]])
        let again = try await system.lines(
          ["jobs", "cancel", ids[0], ids[1]], as: "jobs-cancel", exit: 1)
        #expect(again.map { $0["error"]["code"].text } == ["FAILED_PRECONDITION", nil])
        #expect(again.map { $0["state"].text } == ["cancelled", "cancelled"])

        let retried = try await system.json(["jobs", "retry", ids[0]], as: "jobs-retry")
        #expect(retried["done"].number == 1 && retried["failed"].number == 0)
        try system.startWorker("w0")
        try await system.withClient { client in
          let id = try #require(JobID(ids[0]))
          try await eventually("the retried job's success", timeout: .seconds(60)) {
            try await client.job(id).state == .succeeded
          }
        }
        let refused = try await system.control(["jobs", "retry", ids[0]])
        #expect(refused.exit == .status(1))
        #expect(refused.output.contains("FAILED_PRECONDITION"))

        let purged = try await system.lines(["jobs", "purge"] + ids, as: "jobs-purge")
        #expect(purged.map { $0["state"] } == [.null, .null])
        let gone = try await system.control(["jobs", "show", ids[0]])
        #expect(gone.exit == .status(65))
      }
    }

    @Test func whatNobodyAcknowledgedIsPurgedWhereThatIsSaid() async throws {
      try await RunningSystem.run { system in
        let id = try await system.withClient { client in
          try await client.submit([.make(channel: "unread")])[0].id
        }
        try await system.waitForEnd(of: [id])
        let kept = try await system.json(
          ["jobs", "purge", "--all", "--yes"], as: "jobs-purge", exit: 1)
        #expect(kept["failures"][0]["error"]["code"].text == "FAILED_PRECONDITION")
        let purged = try await system.json(
          ["jobs", "purge", "--all", "--undelivered", "--yes"], as: "jobs-purge")
        #expect(purged["done"].number == 1)
      }
    }

    @Test func manyJobsAreWorkedOffPageAfterPage() async throws {
      try await RunningSystem.run(workers: 0) { system in
        _ = try await submit(system, Self.many)
        let unsure = try await system.control(["jobs", "cancel", "--state", "ready"])
        #expect(unsure.exit == .status(64))
        #expect(unsure.error.contains("--yes"))
        for wrong in [["jobs", "cancel"], ["jobs", "cancel", "0-1", "--all"]] {
          #expect(try await system.control(wrong).exit == .status(64))
        }
        let survey = try await system.json(
          ["jobs", "cancel", "--state", "ready", "--dry-run"], as: "jobs-cancel")
        #expect(survey["jobs"].number == Double(Self.many))
        #expect(survey["states"]["ready"].number == Double(Self.many))
        #expect(survey["newest"].items.count == 10)
        let text = try await system.control(["jobs", "cancel", "--all", "--dry-run"])
        #expect(text.output.hasPrefix("would cancel 2,100 jobs ready 2,100; models builtin 2,100"))
        #expect(text.output.hasSuffix("and 2,090 more\n"))
        #expect(try await depth(system, "ready") == Self.many)

        let cancelled = try await system.control(["jobs", "cancel", "--state", "ready", "--yes"])
        #expect(cancelled.output == "2,100 jobs cancelled\n")
        #expect(try await depth(system, "cancelled") == Self.many)
        let retried = try await system.lines(
          ["jobs", "retry", "--state", "cancelled", "--limit", "1200", "--yes"], as: "jobs-retry")
        #expect(retried.count == 1_200 && retried.allSatisfy { $0["state"].text == "ready" })
        let purged = try await system.json(
          ["jobs", "purge", "--state", "cancelled", "--yes"], as: "jobs-purge")
        #expect(purged["done"].number == 900)
        #expect(try await depth(system, "ready") == 1_200)
        #expect(try await depth(system, "cancelled") == 0)
      }
    }

    /// On a terminal it asks, and does nothing unless the answer is yes.
    @Test func aTerminalIsAsked() async throws {
      try await RunningSystem.run(workers: 0) { system in
        _ = try await submit(system, 3)
        for (answer, exit, left) in [("n\n", Int32(65), 3), ("y\n", 0, 0)] {
          let terminal = try PseudoTerminal(columns: 100, rows: 30)
          let cancel = try system.startControl(["jobs", "cancel", "--all"], on: terminal)
          let question = try await cancel.line(containing: "[y/N]")
          #expect(question.contains("cancel 3 jobs ready 3; models builtin 3? [y/N]"))
          terminal.type(answer)
          #expect(try await cancel.waitForExit() == .status(exit))
          #expect(try await depth(system, "ready") == left)
        }
      }
    }

    @Test func anExportIsWhatTheLedgerHasAndGoesOnWhereItStopped() async throws {
      try await RunningSystem.run { system in
        let ids = try await submit(system, 300)
        try await system.waitForEnd(of: ids.compactMap(JobID.init))
        let path = system.folder.path("all.jsonl")
        let export = ["jobs", "export", "--file", path]
        let whole = try await system.control(export)
        try #require(whole.exit == .status(0), "\(whole.error)")
        #expect(whole.error == "rerankctl: 300 jobs written to \(path)\n")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let jobs = try ControlOutput(exit: .status(0), output: text, error: "")
          .lines(as: "jobs-export")
        #expect(jobs.compactMap { $0["job_id"].text } == ids.reversed())
        for (number, job) in jobs.reversed().enumerated() {
          #expect(job["request"]["documents"] == .list([.text("document \(number)")]))
          #expect(job["outcome"]["results"][0]["index"].number == 0)
          #expect(job["attempt_records"].items.count == 1)
        }
        // As the ledger shows them one by one.
        let shown = try await system.json(["jobs", "show", ids[7], "--request"], as: "jobs-show")
        #expect(jobs[300 - 8] == shown)

        #expect(try await system.control(export).error.contains("--resume goes on with it"))
        // Cut in the middle of a line, as a full disk or a kill leaves it.
        let bytes = try Data(contentsOf: URL(filePath: path))
        try bytes.prefix(bytes.count / 2).write(to: URL(filePath: path))
        let resumed = try await system.control(export + ["--resume"])
        #expect(resumed.exit == .status(0), "\(resumed.error)")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)

        // What was exported can be submitted again: with its key it is the same job.
        for (isKeyed, summary) in [
          (true, "0 submitted, 3 known already"), (false, "3 submitted, 0 known already"),
        ] {
          let requests = try jobs.prefix(3).map { job in
            guard case .object(var request) = job["request"] else { return "" }
            if !isKeyed { request["idempotency_key"] = nil }
            return String(decoding: try JSONEncoder().encode(JSON.object(request)), as: UTF8.self)
          }
          let again = try await system.control(
            ["submit", "-"],
            inputFile: system.folder.write(requests.joined(separator: "\n"), to: "again.jsonl"))
          #expect(again.output.hasPrefix(summary), "\(again.output)\(again.error)")
        }
      }
    }
  }
}
