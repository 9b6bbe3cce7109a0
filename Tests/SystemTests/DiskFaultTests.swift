import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// The disk under the ledger is full, or cannot be written.
  @Suite(
    .enabled(if: SmallDisk.isToBeHad, "a file system cannot be mounted here: that takes root"))
  struct DiskFaultTests {
    private static let megabytes = 24
    private static let configuration = RunningSystem.briskTimes
      .replacing(
        "queue:\n",
        with: """
          queue:
            ledger: { free_space_reserve: 12MiB, wal_checkpoint: 1MiB, wal_truncate: 1MiB }

          """)

    private func withSmallDisk(
      _ body: (RunningSystem, SmallDisk) async throws -> Void
    ) async throws {
      let system = try RunningSystem(
        configuration: Self.configuration, ledger: "disk/ledger.sqlite")
      let disk = try SmallDisk(system.folder.path("disk"), megabytes: Self.megabytes)
      do {
        try await system.startQueue()
        try await body(system, disk)
      } catch {
        print(system.lastLogLines)
        throw error
      }
      let queue = try system.process("queue")
      queue.signal(SIGTERM)
      _ = try await queue.waitForExit(timeout: .seconds(60))
    }

    private func job(_ number: Int, kilobytes: Int) throws -> RerankJob {
      let text = String(repeating: "ice ", count: kilobytes * 256)
      var request = RerankRequest(query: "ice", documents: ["number \(number)", text])
      request.overBudget = .truncate
      var job = try RerankJob(request, model: "builtin")
      job.spec.idempotencyKey = "k-\(number)"
      return job
    }

    /// Submits until the queue takes no more.
    private func fill(_ client: QueueClient) async throws -> (ids: [JobID], refusal: CallStatus) {
      var ids: [JobID] = []
      for number in 0..<10_000 {
        let outcome = try await client.submit([try job(number, kilobytes: 100)])[0]
        if outcome.hasError { return (ids, outcome.error) }
        ids.append(outcome.id)
      }
      throw BrokenPromise("a disk of \(Self.megabytes) MB took a gigabyte of jobs")
    }

    @Test func nearlyFullDiskTakesNoNewJobsAndEndsThoseItHas() async throws {
      try await withSmallDisk { system, disk in
        try await system.withClient { client in
          let (ids, refusal) = try await fill(client)
          #expect(ids.count > 10)
          #expect(CallError(status: refusal)?.details.reason == "LEDGER_SPACE", "\(refusal)")
          // As much is left as one turn of the loop may have added.
          #expect(disk.freeBytes > 11 << 20)
          // What was taken is taken, and asking again adds nothing.
          #expect(try await client.submit([try job(0, kilobytes: 100)])[0].id == ids[0])
          try system.startWorker("w0")
          for id in ids {
            try await eventually("the end of \(id)", timeout: .seconds(120)) {
              try await client.job(id).state == .succeeded
            }
          }
          let worker = try system.process("w0")
          worker.signal(SIGTERM)
          #expect(try await worker.waitForExit(timeout: .seconds(60)) == .status(0))
        }
      }
    }

    @Test func fullDiskEndsTheQueueAndCostsNoJob() async throws {
      try await withSmallDisk { system, disk in
        let ids = try await system.withClient { client in
          try await client.submit((0..<20).map { try job($0, kilobytes: 1) }).map(\.id)
        }
        try disk.fill()
        // A commit that fails may have failed in part: what the queue knows is no longer certain.
        let queue = try system.process("queue")
        let client = try system.client(timeout: .seconds(2))
        try await eventually("the end of the queue", timeout: .seconds(60)) {
          _ = try? await client.submit([try job(1_000, kilobytes: 200)])
          return queue.exit != nil
        }
        await client.close()
        #expect(queue.exit != .status(0))
        #expect(queue.text(of: .error).contains("full"), "\(queue.text(of: .error).suffix(400))")
        try disk.empty()
        try await system.startQueue()
        try system.startWorker("w0")
        try await system.withClient { client in
          for id in ids {
            try await eventually("the end of \(id)", timeout: .seconds(60)) {
              try await client.job(id).state == .succeeded
            }
            let attempts = try await client.job(id, withAttempts: true).attemptRecords
            #expect(attempts.count { $0.end == .succeeded } == 1)
          }
        }
        try LedgerCopy.check(system)
      }
    }

    @Test func diskThatCannotBeWrittenIsNamedAtTheStart() async throws {
      let system = try RunningSystem(
        configuration: Self.configuration, ledger: "disk/ledger.sqlite")
      let disk = try SmallDisk(system.folder.path("disk"), megabytes: Self.megabytes)
      try disk.setReadOnly(true)
      let queue = try system.start("queue", ["queue"] + system.queueArguments)
      #expect(try await queue.waitForExit(timeout: .seconds(60)) != .status(0))
      let said = queue.text(of: .error)
      #expect(said.contains("ledger.sqlite") && said.contains("ead-only"), "\(said)")
    }
  }
}
