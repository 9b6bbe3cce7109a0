import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// Workers and consumers that misbehave, each a process or a connection of its own.
  @Suite struct PeerFaultTests {
    /// Leases that nothing loses on a busy machine.
    private static let patient = RunningSystem.briskTimes
      .replacing("lease: 3s, reattach_grace: 2s", with: "lease: 60s, reattach_grace: 30s")

    @Test func twoWorkersOfOneNameDoEachJobOnce() async throws {
      try await RunningSystem.run(configuration: Self.patient) { system in
        try await system.withClient { client in
          let history = JobHistory()
          try await history.submit(
            (0..<200).map { try .make(documents: Array(repeating: "a", count: 10), key: "\($0)") },
            to: client)
          // It takes the other's place, which the other hears of and gives up what it holds.
          try system.startWorker("w0")
          try await eventually("the end of every job", timeout: .seconds(120)) {
            try await client.status().counters.succeeded == 200
          }
          #expect(try await client.workers().map(\.workerID) == ["w0"])
          try await history.verify(against: client)
        }
      }
    }

    @Test func queueIsRestartedUnderAHundredWorkersWithoutAnAttemptLost() async throws {
      let workers = 100
      // A backend takes its time: it is about the queue, not about a hundred engines.
      let hub = try FakeHub(fallback: .delayed(.milliseconds(200)))
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret(FakeHub.token, to: "token")
      let configuration = """
        models:
          - { name: far, backend: hub, served_name: fake-reranker, golden_pair: false }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))",
              concurrent_requests_max: 100 }
        """
      try await RunningSystem.run(
        configuration: configuration + "\n" + Self.patient, workers: workers
      ) { system in
        try await system.withClient { client in
          let history = JobHistory()
          let ids = try await history.submit(
            (0..<400).map { try .make(model: "far", key: "\($0)") }, to: client)
          try await eventually("work under way") {
            try await client.workers().count { $0.heldJobs > 0 } > workers / 4
          }
          try await system.kill("queue")
          try await system.startQueue()
          try await eventually("every worker again", timeout: .seconds(60)) {
            try await client.workers().count == workers
          }
          try await eventually("the end of every job", timeout: .seconds(120)) {
            for id in ids where try await client.job(id).state != .succeeded { return false }
            return true
          }
          #expect(try await client.status().counters.leasesLost == 0)
          try await history.verify(against: client)
          // What came in while the queue was away counts, and nothing was paid for twice.
          #expect(hub.rerankCount == ids.count)
        }
      }
    }

    @Test func tenfoldOverloadIsRefusedAndWhatWasTakenEnds() async throws {
      let most = 200
      let configuration = RunningSystem.briskTimes.replacing(
        "queue:\n", with: "queue:\n  admission: { live_jobs_max: \(most) }\n")
      try await RunningSystem.run(configuration: configuration, workers: 0) { system in
        try await system.withClient { client in
          let history = JobHistory()
          for batch in 0..<10 {
            let jobs = try (0..<most).map {
              try RerankJob.make(documents: ["a"], key: "\(batch)-\($0)")
            }
            for (job, outcome) in zip(jobs, try await client.submit(jobs)) {
              let key = job.spec.idempotencyKey
              if let refused = CallError(status: outcome.error) {
                #expect(refused.code == .resourceExhausted && refused.retryAfter != nil)
              } else {
                try history.willSend(job)
                try history.note([outcome], of: [key])
              }
            }
          }
          #expect(history.record.acknowledged.count == most)
          // Overload costs those who are in nothing, and there is room again when they have ended.
          try system.startWorker("w0")
          try await eventually("the end of what was taken", timeout: .seconds(60)) {
            try await client.status().counters.succeeded == UInt64(most)
          }
          // None that was refused is there.
          #expect(try await history.verify(against: client) == most)
          #expect(try await !client.submit([.make(key: "after")])[0].hasError)
        }
      }
    }

    @Test func tenantFillsItsOwnPartOfTheLedgerAlone() async throws {
      let configuration = RunningSystem.briskTimes.replacing(
        "queue:\n", with: "queue:\n  ledger: { tenant_stored_jobs_max: 5 }\n")
      try await RunningSystem.run(configuration: configuration) { system in
        try await system.withClient { client in
          func submit(_ key: String, tenant: String) async throws -> SubmitOutcome {
            try await client.submit([.make(key: key) { $0.spec.tenant = tenant }])[0]
          }
          var ids: [JobID] = []
          for number in 0..<5 { ids.append(try await submit("k-\(number)", tenant: "full").id) }
          try await eventually("the end of what was taken") {
            try await client.status().counters.succeeded == 5
          }
          // Their keys keep what has ended from being removed.
          let refused = CallError(status: try await submit("k-5", tenant: "full").error)
          #expect(refused?.details.reason == "TENANT_STORED", "\(refused?.message ?? "taken")")
          #expect(try await !submit("k-5", tenant: "other").hasError)

          #expect(try await client.purge([ids[0]]).allSatisfy { !$0.hasError })
          try await eventually("room") { try await !submit("k-5", tenant: "full").hasError }
        }
      }
    }

    @Test func consumerThatNeverAcknowledgesKeepsNobodyElseWaiting() async throws {
      let configuration = RunningSystem.briskTimes
        .replacing("lease: 2s, attempts_max: 1000", with: "lease: 200ms, attempts_max: 3")
      try await RunningSystem.run(configuration: configuration) { system in
        try await system.withClient { client in
          let deaf = Task {
            for try await delivery in client.receive(channel: "deaf") { _ = delivery }
          }
          let unheard = try await client.submit([.make(channel: "deaf")])[0].id
          let heard = try await client.submit([.make(channel: "keen")])[0].id
          for try await delivery in client.receive(channel: "keen") {
            #expect(delivery.jobID == heard)
            await delivery.acknowledge()
            break
          }
          try await eventually("that it is parked") {
            try await client.job(unheard).delivery == .parked
          }
          // Get still has it.
          #expect(try await client.job(unheard).state == .succeeded)
          deaf.cancel()
          _ = try? await deaf.value
        }
      }
    }

    @Test func queueWithTooFewDescriptorsSaysSoInsteadOfStarting() async throws {
      let system = try RunningSystem()
      let executable = try ChildProcess.builtProduct("rerankd").path
      let queue = try ChildProcess(
        "/bin/sh",
        arguments: ["-c", "ulimit -n 64; exec \"$0\" \"$@\"", executable, "queue"]
          + system.queueArguments)
      #expect(try await queue.waitForExit(timeout: .seconds(60)) != .status(0))
      let said = queue.text(of: .error)
      #expect(said.contains("open files") && said.contains("ulimit -n"), "\(said)")
    }
  }
}
