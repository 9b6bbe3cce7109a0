import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// SIGTERM under load, and what a restart finds.
  @Suite struct ShutdownTests {
    /// Leases that nothing loses on a busy machine, so that each loss counts.
    private static let patient = RunningSystem.briskTimes
      .replacing("lease: 3s, reattach_grace: 2s", with: "lease: 60s, reattach_grace: 30s")

    private func submit(
      _ count: Int, to client: QueueClient, documents: Int = 2
    ) async throws -> [JobID] {
      let jobs = try (0..<count).map { number in
        try RerankJob.make(
          documents: (0..<documents).map { "document \($0) of job \(number)" }, key: "k-\(number)")
      }
      return try await client.submit(jobs).map(\.id)
    }

    private func waitForSuccess(_ ids: [JobID], of client: QueueClient) async throws {
      try await eventually("the success of \(ids.count) jobs", timeout: .seconds(120)) {
        try await client.status().counters.succeeded >= UInt64(ids.count)
      }
    }

    @Test func aWorkerEndsWithoutSpendingAnAttemptOfWhatItHolds() async throws {
      try await RunningSystem.run(configuration: Self.patient) { system in
        try await system.withClient { client in
          let ids = try await submit(40, to: client, documents: 40)
          try await eventually("work under way") {
            try await client.workers().first?.heldJobs ?? 0 > 0
          }
          let worker = try system.process("w0")
          worker.signal(SIGTERM)
          #expect(try await worker.waitForExit(timeout: .seconds(60)) == .status(0))
          try system.startWorker("w1")
          try await waitForSuccess(ids, of: client)
          for id in ids {
            let job = try await client.job(id, withAttempts: true)
            #expect(job.state == .succeeded)
            #expect(job.workersLost == 0, "\(job.attemptRecords)")
            let ends = job.attemptRecords.map(\.end)
            #expect(ends.last == .succeeded)
            #expect(ends.dropLast().allSatisfy { $0 == .released })
          }
          #expect(try await client.status().counters.leasesLost == 0)
        }
      }
    }

    @Test func aWorkerGivesBackWhatItCannotFinishInItsGrace() async throws {
      let brief = Self.patient + "\n  shutdown_grace: 200ms"
      try await RunningSystem.run(configuration: brief) { system in
        try await system.withClient { client in
          let id = try await client.submit([.long()])[0].id
          try await eventually("the lease of a long job") {
            try await client.job(id).state == .leased
          }
          let worker = try system.process("w0")
          worker.signal(SIGTERM)
          #expect(try await worker.waitForExit(timeout: .seconds(60)) == .status(0))
          let job = try await client.job(id, withAttempts: true)
          #expect(job.state == .ready)
          #expect(job.workersLost == 0)
          #expect(job.attemptRecords.map(\.end) == [.released])
          #expect(try await client.cancel(id) == .cancelled)
        }
      }
    }

    @Test func aQueueEndsAndItsSuccessorGoesOnWithEveryJob() async throws {
      try await RunningSystem.run(configuration: Self.patient, workers: 2) { system in
        try await system.withClient { client in
          let ids = try await submit(200, to: client)
          try await eventually("a first success") {
            try await client.status().counters.succeeded > 0
          }
          let queue = try system.process("queue")
          queue.signal(SIGTERM)
          #expect(try await queue.waitForExit(timeout: .seconds(60)) == .status(0))
          try await system.startQueue()
          try await system.waitForWorkers(2)
          #expect(try system.process("w0").exit == nil)
          for id in ids {
            try await eventually("the success of job \(id)", timeout: .seconds(120)) {
              try await client.job(id).state == .succeeded
            }
            let job = try await client.job(id, withAttempts: true)
            #expect(job.attemptRecords.filter { $0.end == .succeeded }.count == 1)
            #expect(job.workersLost == 0, "\(job.attemptRecords)")
          }
          #expect(try await client.status().epoch == 2)
        }
      }
    }

    @Test func aJobThatCostsThreeWorkersIsPoison() async throws {
      let strict = RunningSystem.briskTimes.replacing("lost_max: 100", with: "lost_max: 3")
      try await RunningSystem.run(configuration: strict, workers: 0) { system in
        try await system.withClient { client in
          let id = try await client.submit([.long()])[0].id
          for _ in 0..<3 {
            try system.startWorker("w0")
            try await eventually("the job's lease", timeout: .seconds(60)) {
              let job = try await client.job(id)
              return job.state == .leased
            }
            try await system.kill("w0")
            try await eventually("the loss of the lease", timeout: .seconds(60)) {
              try await client.job(id).state != .leased
            }
          }
          let job = try await client.job(id, withAttempts: true)
          #expect(job.state == .dead)
          #expect(job.workersLost == 3)
          #expect(job.outcome.error.message.hasPrefix("poison: 3 workers were lost"))
          #expect(job.attemptRecords.map(\.end) == [.lost, .lost, .lost])

          // The next worker serves whoever comes after it.
          try system.startWorker("w0")
          #expect(try await client.rerank(.make()).ranking == [0, 1])
        }
      }
    }
  }
}
