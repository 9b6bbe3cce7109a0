import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl status`, once and as a live view; `models list` and `backends`.
  @Suite struct StatusCommandTests {
    @Test func statusShowsWhatRuns() async throws {
      try await RunningSystem.run(workers: 2) { system in
        #expect(try await system.control(["rerank", "q", "a"]).exit == .status(0))
        let status = try await system.json(["status"], as: "status")
        #expect(status["epoch"].number == 1)
        #expect(status["models"].items.map { $0["name"].text } == ["builtin"])
        #expect(status["models"][0]["workers"].number == 2)
        #expect(status["counters"]["succeeded"].number == 1)
        #expect(status["latencies"][0]["total"]["count"].number == 1)
        #expect(try await system.lines(["status"], as: "status").count == 1)

        let text = try await system.control(["status"])
        #expect(text.output.contains("workers  2\n"))
        #expect(text.output.contains("jobs     0 delayed, 0 ready, 0 leased"))
        #expect(text.rows.contains { $0.first == "MODEL" })
        let model = try #require(text.rows.first { $0.first == "builtin" })
        #expect(model[1...4] == ["2", "0", "0", "0"])
        #expect(model.last?.contains(" / ") == true)

        let models = try await system.json(["models", "list"], as: "models-list")
        #expect(models.items.map { $0["workers"].number } == [2])
        let shown = try await system.lines(["models", "show", "builtin"], as: "models-show")
        #expect(shown[0]["manifest"] != .null)
      }
    }

    @Test func aBackendIsListedPausedAndResumed() async throws {
      let hub = try FakeHub()
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret(FakeHub.token, to: "token")
      let configuration =
        RunningSystem.briskTimes + """

          backends:
            - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))" }
          models:
            - { name: fake-reranker, backend: hub, golden_pair: false }
          """
      try await RunningSystem.run(configuration: configuration) { system in
        let call = ["rerank", "q", "a", "--model", "fake-reranker"]
        #expect(try await system.control(call).exit == .status(0))
        let open = try await system.json(["backends", "list"], as: "backends-list")
        #expect(open[0]["name"].text == "hub" && open[0]["state"].text == "open")
        #expect(open[0]["requests"].number == 1)
        let verdicts = try await system.json(["backends", "pause", "hub"], as: "backends-pause")
        #expect(verdicts.items.map { $0["result"].text } == ["paused"])
        let paused = try await system.control(["backends"])
        #expect(paused.rows[1][..<2] == ["hub", "paused"])
        #expect(try await system.control(call + ["--deadline", "300ms"]).exit != .status(0))
        #expect(hub.rerankCount == 1)
        let resumed = try await system.control(["backends", "resume", "hub"])
        #expect(resumed.rows == [["QUEUE", "RESULT"], [system.producersEndpoint, "resumed"]])
        #expect(try await system.control(call).exit == .status(0))
      }
    }

    @Test func watchOnAPipeIsALineAnInterval() async throws {
      try await RunningSystem.run { system in
        let watch = try system.startControl([
          "status", "--watch", "--interval", "200ms", "-o", "json",
        ])
        // Rates are against the reading before.
        _ = try await watch.line(containing: "\"endpoint\"")
        #expect(try await system.control(["rerank", "q", "a"]).exit == .status(0))
        try await eventually("a rate") {
          watch.text(of: .output).split(separator: "\n").contains { line in
            let queues = (try? JSON(line))?["queues"] ?? .null
            return queues[0]["rates"]["submitted"].number ?? 0 > 0
          }
        }
        // The queue goes away and comes back; the watch goes on.
        try await system.kill("queue")
        _ = try await watch.line(containing: "\"code\":\"UNAVAILABLE\"")
        try await system.startQueue()
        _ = try await watch.line(containing: "\"epoch\":2")
        watch.signal(SIGTERM)
        _ = try await watch.waitForExit()
        // The last line may have been cut by the signal.
        let output = watch.text(of: .output)
        let whole = output[...(try #require(output.lastIndex(of: "\n")))]
        let lines = try ControlOutput(exit: .status(0), output: String(whole), error: "")
          .lines(as: "status-watch")
        #expect(lines.count >= 3)
        #expect(lines[0]["queues"][0]["rates"] == .null)
        #expect(
          lines.allSatisfy { $0["queues"][0]["endpoint"].text == system.producersEndpoint })

        let text = try system.startControl(["status", "--watch", "--interval", "100ms"])
        _ = try await text.line(containing: "a second  submitted ")
        #expect(text.text(of: .output).contains(/^20\d\d-\d\d-\d\dT/))
        #expect(!text.text(of: .output).contains("\u{1B}"))
      }
    }
  }
}
