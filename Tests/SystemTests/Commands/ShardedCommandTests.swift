import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// Commands on two queues, the shards of one deployment, behind one `--endpoint`.
  @Suite struct ShardedCommandTests {
    private func withShards(
      _ body: (_ shards: [RunningSystem], _ endpoint: [String]) async throws -> Void
    ) async throws {
      let shards = try (0..<2).map { try RunningSystem(shard: $0) }
      do {
        for shard in shards { try await shard.startQueue() }
        let all = shards.map(\.producersEndpoint).joined(separator: ",")
        try await body(shards, ["--endpoint", all])
      } catch {
        for shard in shards { print(shard.lastLogLines) }
        throw error
      }
    }

    @Test func jobsOfAllShardsAreListedShownAndCancelled() async throws {
      try await withShards { shards, endpoint in
        let system = shards[0]
        let file = try system.folder.write(
          (0..<40).map { #"{"query": "q\#($0)", "documents": ["d"]}"# }
            .joined(separator: "\n"), to: "jobs.jsonl")
        let submitted = try await system.json(
          ["submit", file, "--key-prefix", "k"] + endpoint, as: "submit")
        let ids = submitted.items.compactMap { $0["job_id"].text }
        #expect(Set(ids.compactMap { $0.first }) == ["0", "1"])
        let listed = try await system.json(
          ["jobs", "list", "--all"] + endpoint, as: "jobs-list")
        #expect(Set(listed.items.compactMap { $0["job_id"].text }) == Set(ids))
        let times = listed.items.compactMap { $0["submitted"].text }
        #expect(times == times.sorted(by: >))
        for shard in ["0", "1"] {
          let id = try #require(ids.first { $0.hasPrefix(shard) })
          let shown = try await system.json(
            ["jobs", "show", id, "--request"] + endpoint, as: "jobs-show")
          #expect(shown["job_id"].text == id)
        }
        let foreign = try await system.control(["jobs", "show", "7-1"] + endpoint)
        #expect(foreign.exit == .status(65))
        #expect(foreign.error.contains("is of shard 7, and there are 2 queues"))
        let verdicts = try await system.lines(
          ["jobs", "cancel", ids[0], "7-1", ids[39]] + endpoint, as: "jobs-cancel", exit: 1)
        #expect(verdicts.map { $0["state"].text } == ["cancelled", nil, "cancelled"])

        let path = system.folder.path("export.jsonl")
        let export = ["jobs", "export", "--file", path] + endpoint
        #expect(try await system.control(export).exit == .status(0))
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try (text.prefix(text.count / 2)).write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try await system.control(export + ["--resume"]).exit == .status(0))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        #expect(text.split(separator: "\n").count == 40)

        let backups = try await system.json(["ledger", "backup"] + endpoint, as: "ledger-backup")
        #expect(backups.items.count == 2)
        let check = try await system.control(["ledger", "check"] + endpoint)
        #expect(check.exit == .status(65) && check.error.contains("name it by --endpoint"))
      }
    }

    @Test func whenOneIsDownTheOthersAreShownAndTheExitCodeSaysPart() async throws {
      try await withShards { shards, endpoint in
        let system = shards[0]
        try system.startWorker("w0")
        try await system.waitForWorkers(1)
        let id = try await system.withClient { client in
          try await client.setPaused(true)
          return try await client.submit([.make()])[0].id.description
        }
        try await shards[1].kill("queue")
        let away = "without the queue at \(shards[1].producersEndpoint): UNAVAILABLE: "

        let status = try await system.control(["status"] + endpoint)
        #expect(status.exit == .status(1))
        #expect(status.output.contains("shard 0") && status.output.contains("AWAY"))
        let readings = try await system.json(["status"] + endpoint, as: "status", exit: 1)
        #expect(readings["queues"][0]["status"]["paused"].bool == true)
        #expect(readings["queues"][1]["error"]["code"].text == "UNAVAILABLE")

        for (verb, count) in [("jobs", 1), ("workers", 1), ("models", 1)] {
          let list = try await system.control([verb, "list", "-o", "json"] + endpoint)
          #expect(list.exit == .status(1), "\(verb)")
          #expect(list.error.contains(away), "\(verb): \(list.error)")
          #expect(try list.json(as: "\(verb)-list").items.count == count)
        }
        let workers = try await system.control(["workers", "list"] + endpoint)
        #expect(workers.rows[1][..<2] == [system.producersEndpoint, "w0"])
        let survey = try await system.control(["jobs", "cancel", "--all", "--dry-run"] + endpoint)
        #expect(survey.exit == .status(1) && survey.error.contains(away))
        #expect(survey.output.hasPrefix("would cancel 1 job"))
        let verdicts = try await system.lines(
          ["jobs", "cancel", id, "1-1"] + endpoint, as: "jobs-cancel", exit: 1)
        #expect(verdicts.map { $0["state"].text } == ["cancelled", nil])
        #expect(verdicts[1]["error"]["code"].text == "UNAVAILABLE")
        let retried = try await system.control(
          ["jobs", "retry", "--state", "cancelled", "--yes"] + endpoint)
        #expect(retried.exit == .status(1) && retried.error.contains(away))
        #expect(retried.output == "1 job retried\n")
        let resumed = try await system.json(
          ["queue", "resume"] + endpoint, as: "queue-resume", exit: 1)
        #expect(resumed[0]["result"].text == "resumed")
        #expect(resumed[1]["error"]["code"].text == "UNAVAILABLE")
        let backups = try await system.json(
          ["ledger", "backup"] + endpoint, as: "ledger-backup", exit: 1)
        #expect(backups.items.count == 1)

        try await system.kill("queue")
        for verb in [["jobs", "list"], ["workers", "list"], ["queue", "pause"], ["status"]] {
          #expect(try await system.control(verb + endpoint).exit == .status(69), "\(verb)")
        }
      }
    }
  }
}
