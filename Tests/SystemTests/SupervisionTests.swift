import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankd up`: a queue, workers and a gateway that are kept running, and end with their
  /// supervisor.
  @Suite struct SupervisionTests {
    private func withSupervisor(
      gateway: [String] = ["--no-gateway"], workers: Int = 2,
      _ body: (RunningSystem, ChildProcess) async throws -> Void
    ) async throws {
      let system = try RunningSystem()
      do {
        let up = try system.start(
          "up",
          ["up", "--workers", "\(workers)", "--log-level", "info"] + gateway + system.queueArguments
        )
        try await system.withClient { client in
          try await eventually("a queue and its workers", timeout: .seconds(60)) {
            guard up.exit == nil else { throw TimeoutError(description: "rerankd up ended") }
            return (try? await client.workers().count) == workers
          }
        }
        try await body(system, up)
      } catch {
        print(system.lastLogLines)
        throw error
      }
    }

    /// The children that run, by their arguments in /proc: those of this supervisor alone.
    private func children(of parent: Int32) throws -> [Int32] {
      let text = try String(
        contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8)
      return try text.split(separator: " ").compactMap { Int32($0) }
        + FileManager.default.contentsOfDirectory(atPath: "/proc/\(parent)/task")
        .filter { $0 != "\(parent)" }
        .flatMap { thread in
          (try? String(contentsOfFile: "/proc/\(parent)/task/\(thread)/children", encoding: .utf8))?
            .split(separator: " ").compactMap { Int32($0) } ?? []
        }
    }

    private func isAlive(_ process: Int32) -> Bool {
      // A process that ended and was not waited for yet is a zombie: its memory map is empty.
      guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
        let end = stat.lastIndex(of: ")")
      else { return false }
      return stat[stat.index(after: end)...].split(separator: " ").first != "Z"
    }

    @Test func aKilledWorkerIsStartedAgain() async throws {
      try await withSupervisor { system, up in
        try await system.withClient { client in
          let former = try #require(try await client.workers().first)
          let processID = Int32(former.processID)
          try #require(try children(of: up.processID).contains(processID))
          Glibc.kill(processID, SIGKILL)
          try await eventually("a new worker", timeout: .seconds(60)) {
            let workers = try await client.workers()
            return workers.count == 2 && !workers.contains { $0.workerID == former.workerID }
          }
          let outcome = try await client.rerank(.make())
          #expect(try outcome.ranking == [0, 1])
        }
      }
    }

    @Test func aKilledQueueIsStartedAgainWithItsJobs() async throws {
      try await withSupervisor { system, up in
        try await system.withClient { client in
          let id = try await client.submit([.make()])[0].id
          let workers = Set(try await client.workers().map { Int32($0.processID) })
          let queue = try #require(
            try children(of: up.processID).first { !workers.contains($0) })
          Glibc.kill(queue, SIGKILL)
          try await eventually("the job after the restart", timeout: .seconds(60)) {
            try await client.job(id).state == .succeeded
          }
          #expect(try await client.status().epoch == 2)
        }
      }
    }

    @Test func workersScaleUnderLoadAndNothingIsLost() async throws {
      try await withSupervisor(workers: 1) { system, up in
        try await system.withClient { client in
          let ids = try await client.submit((0..<200).map { _ in try .make() }).map(\.id)
          try await eventually("the supervisor's report", timeout: .seconds(30)) {
            try await client.status().supervisors.first?.workersRunning == 1
          }
          for count in [3, 1] {
            _ = try await client.scaleWorkers(to: UInt32(count))
            try await eventually("\(count) workers", timeout: .seconds(60)) {
              let running = try await client.status().supervisors.first?.workersRunning
              return try await client.workers().count == count && running == UInt32(count)
            }
          }
          for id in ids {
            try await eventually("the end of \(id)", timeout: .seconds(60)) {
              try await client.job(id).state == .succeeded
            }
          }
          #expect(try await client.status().counters.succeeded == 200)
        }
        // Drained, not lost.
        #expect(!up.text(of: .error).contains("starting it again"))
      }
    }

    @Test func sighupTakesRightSettingsAndRefusesWrongOnes() async throws {
      try await withSupervisor(workers: 1) { system, up in
        let right = RunningSystem.briskTimes + "\nup: { workers: 2 }\n"
        try system.folder.write(right, to: "rerankd.yaml")
        up.signal(SIGHUP)
        // The flag that the supervisor was started with still goes before the file.
        _ = try await up.line(containing: "settings reloaded", on: .error)
        let retries = RunningSystem.briskTimes.replacing("cap: 200ms", with: "cap: 300ms")
        try system.folder.write(retries, to: "rerankd.yaml")
        up.signal(SIGHUP)
        _ = try await up.line(containing: "setting changed: queue.retries.cap", on: .error)
        try system.folder.write(retries + "\nup: { wrokers: 2 }\n", to: "rerankd.yaml")
        up.signal(SIGHUP)
        let line = try await up.line(containing: "settings not reloaded", on: .error)
        #expect(line.contains("rerankd.yaml") && line.contains("up.wrokers"))
        try await system.withClient { client in
          #expect(try await client.workers().count == 1)
          let outcome = try await client.rerank(.make())
          #expect(try outcome.ranking == [0, 1])
        }
      }
    }

    @Test func theGatewayIsServedToo() async throws {
      try await withSupervisor(gateway: ["--listen", "127.0.0.1:0"]) { _, up in
        let line = try await up.line(containing: "[GatewayRole] listening on", on: .error)
        #expect(line.hasPrefix("[gateway]"))
        let port = try #require(line.split(separator: ":").last.flatMap { Int($0) })
        let curl = try ChildProcess(
          RunningGateway.curl,
          arguments: ["--silent", "--fail", "http://127.0.0.1:\(port)/health/ready"])
        #expect(try await curl.waitForExit() == .status(0))
        try #require(try children(of: up.processID).count == 4)
        up.signal(SIGTERM)
        #expect(try await up.waitForExit(timeout: .seconds(60)) == .status(0))
      }
    }

    @Test func sigtermEndsWorkersThenQueueThenSupervisor() async throws {
      try await withSupervisor { system, up in
        let processes = try children(of: up.processID)
        try #require(processes.count == 3)
        up.signal(SIGTERM)
        let exit = try await up.waitForExit(timeout: .seconds(60))
        #expect(exit == .status(0))
        #expect(processes.filter(isAlive) == [])
        #expect(!up.text(of: .error).contains("starting it again"))
      }
    }

    @Test func aKilledSupervisorLeavesNoOrphans() async throws {
      try await withSupervisor { system, up in
        let processes = try children(of: up.processID)
        try #require(processes.count == 3)
        up.signal(SIGKILL)
        try await eventually("the end of all children", timeout: .seconds(60)) {
          !processes.contains(where: isAlive)
        }
      }
    }
  }
}
