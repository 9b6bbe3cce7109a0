import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl workers`.
  @Suite struct WorkersCommandTests {
    @Test func workersAreListedPausedResumedAndDrained() async throws {
      try await RunningSystem.run(workers: 2) { system in
        let list = try await system.json(["workers", "list"], as: "workers-list").items
        #expect(Set(list.compactMap { $0["worker_id"].text }) == ["w0", "w1"])
        let first = try #require(list.first { $0["worker_id"].text == "w0" })
        #expect(try first["process_id"].number == Double(system.process("w0").processID))
        let table = try await system.control(["workers"])
        #expect(table.rows[0][..<4] == ["WORKER", "HOST", "PID", "STATE"])
        #expect(Set(table.rows[1...].map { $0[0] + " " + $0[3] }) == ["w0 idle", "w1 idle"])

        // What one worker is not given, the other does.
        let paused = try await system.json(
          ["workers", "pause", "w0", "nobody"], as: "workers-pause", exit: 1)
        #expect(paused[0]["result"].text == "paused")
        #expect(paused[1]["error"]["code"].text == "NOT_FOUND")
        for _ in 0..<4 {
          #expect(try await system.control(["rerank", "q", "a"]).exit == .status(0))
        }
        let after = try await system.lines(["workers", "list"], as: "workers-list")
        for worker in after {
          let isPaused = worker["worker_id"].text == "w0"
          #expect(worker["paused"].bool == isPaused)
          #expect(worker["succeeded"].number == (isPaused ? 0 : 4))
        }
        let resumed = try await system.control(["workers", "resume", "--all"])
        #expect(
          Set(resumed.rows) == [["WORKER", "RESULT"], ["w0", "resumed"], ["w1", "resumed"]])

        let drained = try await system.lines(
          ["workers", "drain", "w0", "--until-gone"], as: "workers-drain")
        #expect(drained.map { $0["result"].text } == ["draining"])
        #expect(try await system.process("w0").waitForExit() == .status(0))
        let left = try await system.json(["workers", "list"], as: "workers-list")
        #expect(left.items.map { $0["worker_id"].text } == ["w1"])
        for wrong in [["workers", "pause"], ["workers", "drain", "w1", "--all"]] {
          #expect(try await system.control(wrong).exit == .status(64))
        }
      }
    }

    @Test func scaleIsWhatTheSupervisorDoes() async throws {
      let system = try RunningSystem()
      let alone = try RunningSystem()
      try await alone.startQueue()
      let nobody = try await alone.control(["workers", "scale", "2"])
      #expect(nobody.exit == .status(65))
      #expect(nobody.error.contains("rerankd up"))

      try system.start("up", ["up", "--workers", "1", "--no-gateway"] + system.queueArguments)
      try await eventually("a worker", timeout: .seconds(60)) {
        let status = try? await system.control(["status", "-o", "json"]).json(as: "status")
        return status?["supervisors"][0]["workers_running"].number == 1
          && status?["workers"].number == 1
      }
      for count in [3, 1] {
        let asked = try await system.json(["workers", "scale", "\(count)"], as: "workers-scale")
        #expect(asked["workers_wanted"].number == Double(count))
        try await system.waitForWorkers(count)
      }
      let table = try await system.control(["workers", "scale", "1"])
      #expect(
        table.rows[0] == ["SUPERVISOR", "HOST", "PID", "RUNNING", "WANTED", "MOST"])
      let tooMany = try await system.control(["workers", "scale", "100000"])
      #expect(tooMany.exit == .status(65))
      let unknown = try await system.control(["workers", "scale", "1", "--supervisor", "none"])
      #expect(unknown.exit == .status(65))
      let up = try system.process("up")
      up.signal(SIGTERM)
      #expect(try await up.waitForExit(timeout: .seconds(60)) == .status(0))
    }
  }
}
