import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// What a person does with rerankctl, against a queue, a worker and the built-in model.
  @Suite struct CommandLineTests {
    private struct Ranking: Decodable {
      struct Row: Decodable {
        var index: Int
        var relevanceScore: Double
        var document: String?
      }

      var jobId: String
      var state: String
      var model: String?
      var engine: String?
      var idempotencyKey: String?
      var results: [Row]?
    }

    private struct Job: Decodable {
      struct Attempt: Decodable {
        var attempt: Int
        var end: String
        var worker: String
      }

      var jobId: String
      var state: String
      var attempts: Int
      var attemptRecords: [Attempt]?
    }

    @Test func rerankPrintsTheRankingForPeopleAndPrograms() async throws {
      try await RunningSystem.run { system in
        let call = [
          "rerank", "What is the capital of France?", "Bread is made of flour.",
          "Paris is the capital and most populous city of France.",
        ]
        let table = try await system.control(call)
        try #require(table.exit == .status(0), "\(table.error)")
        let lines = table.output.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[0].contains("SCORE"))
        #expect(lines[1].contains("Paris"))

        let json = try await system.control(call + ["--output", "json", "--top-n", "1"])
        let ranking = try json.json(Ranking.self)
        try #require(ranking.results?.map(\.index) == [1])
        #expect(ranking.results?[0].document?.hasPrefix("Paris") == true)
        #expect((0...1).contains(ranking.results?[0].relevanceScore ?? -1))
        #expect(ranking.engine == "embedded")
        #expect(ranking.state == "succeeded")
      }
    }

    @Test func statusAndWorkersShowWhatRuns() async throws {
      try await RunningSystem.run(workers: 2) { system in
        let ranked = try await system.control(["rerank", "q", "a"])
        try #require(ranked.exit == .status(0), "\(ranked.error)")

        struct Status: Decodable {
          struct Model: Decodable {
            var name: String
            var workers: Int
          }

          var epoch: Int
          var models: [Model]
          var counters: [String: Int]
        }
        let status = try await system.control(["status", "--output", "json"]).json(Status.self)
        #expect(status.epoch == 1)
        #expect(status.models.map(\.name) == ["builtin"])
        #expect(status.models[0].workers == 2)
        #expect(status.counters["succeeded"] == 1)
        let text = try await system.control(["status"])
        #expect(text.output.contains("workers  2"))

        struct Worker: Decodable {
          var workerId: String
          var processId: Int32
          var succeeded: Int
        }
        let workers = try await system.control(["workers", "list", "--output", "json"])
          .json([Worker].self)
        #expect(Set(workers.map(\.workerId)) == ["w0", "w1"])
        let first = workers.first { $0.workerId == "w0" }
        #expect(try first?.processId == system.process("w0").processID)
        #expect(workers.map(\.succeeded).reduce(0, +) == 1)
      }
    }

    @Test func submittedJobsComeBackOnTheirReplyChannelOnce() async throws {
      try await RunningSystem.run { system in
        let file = try system.folder.write(
          """
          {"query": "capital of France", "documents": ["Lyon is a city.", "Paris is its capital."], \
          "idempotency_key": "q1"}
          {"query": "who wrote Faust?", "documents": ["Goethe wrote Faust."], "idempotency_key": "q2"}
          """, to: "jobs.jsonl")
        let submit = ["submit", file, "--reply-channel", "demo"]
        let first = try await system.control(submit)
        try #require(first.exit == .status(0), "\(first.error)")
        #expect(first.output.hasPrefix("2 submitted, 0 known already, 0 refused"))
        let second = try await system.control(submit)
        #expect(second.output.hasPrefix("0 submitted, 2 known already, 0 refused"))

        let results = try await system.control([
          "results", "--reply-channel", "demo", "--count", "2", "--output", "jsonl",
        ])
        try #require(results.exit == .status(0), "\(results.error)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let rankings = try results.output.split(separator: "\n")
          .map { try decoder.decode(Ranking.self, from: Data($0.utf8)) }
        #expect(rankings.compactMap(\.idempotencyKey).sorted() == ["q1", "q2"])
        #expect(rankings.allSatisfy { $0.state == "succeeded" })

        // What was acknowledged does not come again.
        let rest = try await system.control([
          "results", "--reply-channel", "demo", "--idle", "1s",
        ])
        #expect(rest.exit == .status(0))
        #expect(rest.output == "")
      }
    }

    @Test func jobsAreListedShownCancelledAndRetried() async throws {
      // Without a worker the job waits for as long as the test wants.
      try await RunningSystem.run(workers: 0) { system in
        let outcome = try await system.withClient { try await $0.submit([.make()])[0] }
        let id = outcome.id.description
        let ready = try await system.control(["jobs", "list", "--state", "ready", "-o", "json"])
        #expect(try ready.json([Job].self).map(\.jobId) == [id])

        let cancelled = try await system.control(["jobs", "cancel", id])
        #expect(cancelled.exit == .status(0))
        #expect(cancelled.output.contains("cancelled"))
        let shown = try await system.control(["jobs", "show", id, "-o", "json"])
        #expect(try shown.json(Job.self).state == "cancelled")

        let retried = try await system.control(["jobs", "retry", id])
        #expect(retried.exit == .status(0), "\(retried.error)")
        try system.startWorker("w0")
        try await system.withClient { client in
          try await eventually("the retried job's success", timeout: .seconds(60)) {
            try await client.job(outcome.id).state == .succeeded
          }
        }
        let done = try await system.control(["jobs", "show", id, "-o", "json"]).json(Job.self)
        #expect(done.attemptRecords?.map(\.worker) == ["w0"])
        #expect(done.attemptRecords?.map(\.end) == ["succeeded"])
        let text = try await system.control(["jobs", "show", id])
        #expect(text.output.contains("attempts  ") || text.output.contains("attempts "))

        let again = try await system.control(["jobs", "retry", id])
        #expect(again.exit == .status(1))
        #expect(again.output.contains("FAILED_PRECONDITION"))
      }
    }

    @Test func failuresAreOneLineAndAnExitCode() async throws {
      try await RunningSystem.run { system in
        let cases: [([String], Int32, String)] = [
          (["jobs", "show", "0-99"], 65, "NOT_FOUND: there is no job 0-99"),
          (["rerank", "q", "a", "--model", "none"], 65, "NOT_FOUND: model \"none\""),
          (["rerank", "q"], 65, "no documents"),
          (["submit", system.folder.path("absent.jsonl")], 65, "absent.jsonl"),
          (["jobs", "show", "seventeen"], 64, "seventeen"),
        ]
        for (arguments, code, message) in cases {
          let end = try await system.control(arguments)
          #expect(end.exit == .status(code), "\(arguments): \(end.error)")
          #expect(end.error.contains(message), "\(arguments): \(end.error)")
          if code != 64 { #expect(end.error.split(separator: "\n").count == 1) }
        }
        try await system.kill("queue")
        let away = try await system.control(["status"])
        #expect(away.exit == .status(69))
        #expect(away.error.contains("no queue answers at \(system.producersEndpoint)"))
        #expect(away.error.split(separator: "\n").count == 1)
      }
    }

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
