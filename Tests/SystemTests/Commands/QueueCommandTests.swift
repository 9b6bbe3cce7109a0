import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl queue`.
  @Suite struct QueueCommandTests {
    private func depth(_ system: RunningSystem) async throws -> [String] {
      try await system.json(["jobs", "list"], as: "jobs-list").items.compactMap { $0["state"].text }
    }

    @Test func aPausedQueueTakesJobsAndAssignsNone() async throws {
      try await RunningSystem.run { system in
        let paused = try await system.json(["queue", "pause"], as: "queue-pause")
        #expect(paused[0]["endpoint"].text == system.producersEndpoint)
        #expect(paused[0]["result"].text == "paused")
        let file = try system.folder.write(
          #"{"query": "q", "documents": ["d"]}"#, to: "jobs.jsonl")
        #expect(try await system.control(["submit", file]).exit == .status(0))
        let status = try await system.control(["status"])
        #expect(status.output.contains("PAUSED nothing is assigned to workers"))
        #expect(try await system.json(["status"], as: "status")["paused"].bool == true)
        #expect(try await depth(system) == ["ready"])
        let resumed = try await system.control(["queue", "resume"])
        #expect(resumed.rows == [["QUEUE", "RESULT"], [system.producersEndpoint, "resumed"]])
        try await eventually("the job's end", timeout: .seconds(60)) {
          try await depth(system) == ["succeeded"]
        }
      }
    }

    @Test func aDrainingQueueRefusesJobsAndEndsEmpty() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let file = try system.folder.write(
          #"{"query": "q", "documents": ["d"]}"#, to: "jobs.jsonl")
        #expect(try await system.control(["submit", file]).exit == .status(0))
        let impatient = try await system.control([
          "queue", "drain", "--until-empty", "--within", "300ms",
        ])
        #expect(impatient.exit == .status(1))
        #expect(impatient.error.contains("1 job left; the queue drains on"))
        let refused = try await system.control(["submit", file])
        #expect(refused.exit == .status(1))
        #expect(refused.error.contains("UNAVAILABLE"))
        #expect(
          try await system.control(["status"]).output.contains("DRAINING new jobs are refused"))
        try system.startWorker("w0")
        let drained = try await system.lines(
          ["queue", "drain", "--until-empty"], as: "queue-drain")
        #expect(drained.map { $0["result"].text } == ["draining"])
        #expect(try await depth(system) == ["succeeded"])
        let undrained = try await system.json(["queue", "undrain"], as: "queue-undrain")
        #expect(undrained[0]["result"].text == "taking jobs")
        #expect(try await system.control(["submit", file]).exit == .status(0))
        #expect(
          try await system.control(["queue", "drain", "--within", "1s"]).exit == .status(64))
      }
    }
  }
}
