import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl bench`, against a queue with a worker.
  @Suite struct BenchCommandTests {
    private struct Bench: Decodable {
      struct Latency: Decodable {
        var p50Us: UInt64
        var p90Us: UInt64
        var p99Us: UInt64
        var maxUs: UInt64
      }

      struct Failure: Decodable {
        var code: String
        var message: String
        var count: Int
      }

      var concurrency: Int
      var jobs: Int
      var succeeded: Int
      var failed: Int
      var pairs: Int
      var durationMs: UInt64
      var jobsPerSecond: Double
      var pairsPerSecond: Double
      var latency: Latency?
      var errors: [Failure]
    }

    @Test func madeUpJobsAreSentAndMeasured() async throws {
      try await RunningSystem.run { system in
        let measured = try await system.control([
          "bench", "--jobs", "30", "--concurrency", "4", "--documents", "3", "--words", "10", "-o",
          "json",
        ])
        try #require(measured.exit == .status(0), "\(measured.error)")
        _ = try measured.json(as: "bench")
        let bench = try measured.json(Bench.self)
        #expect(bench.jobs == 30 && bench.succeeded == 30 && bench.failed == 0)
        #expect(bench.concurrency == 4 && bench.pairs == 90 && bench.errors.isEmpty)
        let latency = try #require(bench.latency)
        #expect(latency.p50Us > 0 && latency.p50Us <= latency.p90Us)
        #expect(latency.p90Us <= latency.p99Us && latency.p99Us <= latency.maxUs)
        #expect(latency.maxUs / 1_000 <= bench.durationMs + 1)
        #expect(abs(bench.pairsPerSecond / bench.jobsPerSecond - 3) < 0.001)
        let status = try await system.withClient { try await $0.status() }
        #expect(status.counters.succeeded == 30 && status.counters.submitted == 30)
      }
    }

    /// What lines say of keys and of who gets the result is for real jobs.
    @Test func linesOfAFileAreNewJobsEachTimeAndDisturbNobody() async throws {
      try await RunningSystem.run { system in
        let file = try system.folder.write(
          """
          {"query": "a", "documents": ["b", "c"], "idempotency_key": "k", "reply_channel": "r"}

          {"query": "d", "documents": ["e"], "not_before_ms": 600000}
          """, to: "jobs.jsonl")
        // Somebody's own, of which the lines would make duplicates.
        let own = try await system.control(["submit", file, "-o", "jsonl"])
        try #require(own.exit == .status(0), "\(own.error)")
        let before = try await system.withClient { try await $0.status().counters.submitted }
        let measured = try await system.control([
          "bench", "--file", file, "--jobs", "5", "-o", "json",
        ])
        try #require(measured.exit == .status(0), "\(measured.error)")
        _ = try measured.json(as: "bench")
        let bench = try measured.json(Bench.self)
        #expect(bench.succeeded == 5 && bench.pairs == 8)
        let after = try await system.withClient { try await $0.status() }
        #expect(after.counters.submitted - before == 5)
        #expect(after.counters.duplicates == 0)
        // The own ones are as they were: one waits for its time, one waits for its consumer.
        #expect(after.models.map(\.delayed).reduce(0, +) == 1)
        let results = try await system.control(["results", "--reply-channel", "r", "-o", "jsonl"])
        #expect(results.output.split(separator: "\n").count == 1)
      }
    }

    @Test func jobsThatFailAreCountedByTheirCode() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let late = try await system.control([
          "bench", "--jobs", "3", "--deadline", "200ms", "-o", "json",
        ])
        #expect(late.exit == .status(1))
        _ = try late.json(as: "bench")
        let bench = try late.json(Bench.self)
        #expect(bench.failed == 3 && bench.latency == nil && bench.pairsPerSecond == 0)
        #expect(bench.errors.map(\.code) == ["DEADLINE_EXCEEDED"])
        #expect(bench.errors.first?.count == 3)
        let unknown = try await system.control(["bench", "--jobs", "2", "--model", "none"])
        #expect(unknown.exit == .status(1))
        #expect(unknown.output.contains("2 × NOT_FOUND"))
        // A call that is over takes its job with it.
        let away = try await system.control([
          "bench", "--jobs", "1", "--timeout", "300ms", "-o", "json",
        ])
        #expect(away.exit == .status(1))
        try await system.withClient { client in
          try await eventually("the end of the job") {
            try await client.status().models.allSatisfy { $0.ready + $0.delayed == 0 }
          }
        }
      }
    }

    @Test func withoutAQueueOrJobsThereIsNoResult() async throws {
      let folder = try TemporaryFolder("bench")
      func run(_ arguments: [String]) async throws -> ChildProcess.Exit {
        try await ControlOutput.of(
          ["bench", "--endpoint", "ipc://\(folder.path("none"))"] + arguments
        ).exit
      }
      #expect(try await run([]) == .status(69))
      let empty = try folder.write("\n", to: "empty.jsonl")
      #expect(try await run(["--file", empty]) == .status(65))
      #expect(try await run(["--concurrency", "0"]) == .status(64))
      #expect(try await run(["--documents", "10000", "--words", "1000"]) == .status(64))
    }
  }
}
