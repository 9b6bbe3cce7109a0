import Foundation
import Ledger
import RerankdProtocol
import SwiftProtobuf
import TestSupport
import Testing

@testable import QueueRole

/// What operators do to a whole queue: real sockets, real ledger.
@Suite(.serialized) struct ShellOperatorTests {
  private func queue(
    _ modify: @escaping @Sendable (inout QueueConfiguration) -> Void = { _ in }
  ) throws -> TestQueue {
    try TestQueue { configuration in
      let ledger = URL(filePath: configuration.ledger.path)
      configuration.ledger.backup.folder =
        ledger.deletingLastPathComponent().appending(path: "backups").path
      modify(&configuration)
    }
  }

  private func submit(_ client: TestClient, count: Int) throws -> [UInt64] {
    var request = SubmitRequest()
    request.jobs = try (0..<count).map { _ in try Sample.job() }
    let outcomes = try client.call(.submit, request, SubmitResponse.self).outcomes
    #expect(outcomes.allSatisfy { !$0.hasError })
    return outcomes.map(\.jobID)
  }

  private func state(of id: UInt64, _ client: TestClient) throws -> JobState? {
    do {
      let details = try client.call(
        .get, GetRequest.with { $0.jobID = id }, JobDetails.self)
      return details.state
    } catch let error as CallError where error.code == .notFound {
      return nil
    }
  }

  @Test func queueThatLostItsLedgerGoesOnFromABackup() async throws {
    let queue = try queue()
    let ledger = queue.folder.path("ledger.sqlite")
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      #expect(try submit(client, count: 3).count == 3)
      let backup = try client.call(
        .backUpLedger, BackUpLedgerRequest.with { $0.name = "drill" }, BackUpLedgerResponse.self)
      #expect(backup.jobs == 3 && backup.path == queue.folder.path("backups") + "/drill")
      #expect(throws: CallError.self) {
        try client.call(
          .backUpLedger, BackUpLedgerRequest.with { $0.name = "drill" }, BackUpLedgerResponse.self)
      }
      let status = try client.call(.status, StatusRequest(), StatusResponse.self).ledger
      #expect(status.backupBytes == backup.bytes && status.backupUnixMs > 0)
      #expect(status.backupError.contains("drill"))
      #expect(try submit(client, count: 2).count == 2)
    }
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: ledger + suffix)
    }
    let restoration = try Ledger.restore(
      from: queue.folder.path("backups") + "/drill", to: ledger, wallMs: LoopClock.wallMs)
    #expect(restoration.jobs == 3)
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      #expect(try (1...3).allSatisfy { try state(of: $0, client) == .ready })
      #expect(try state(of: 4, client) == nil)
      let new = try submit(client, count: 1)[0]
      #expect(new > 5 && new == restoration.nextSequence)
      let worker = try TestWorker(endpoints.workers)
      #expect(worker.attached.epoch == restoration.epoch + 1)
      var assignments: [Assignment] = []
      while assignments.count < 4 { assignments += try worker.assignments() }
      try worker.complete(assignments)
      #expect(try worker.recorded(4).count == 4)
      let check = try client.call(.checkLedger, CheckLedgerRequest(), CheckLedgerResponse.self)
      #expect(check.problems == [] && check.jobs == 4)
    }
  }

  @Test func queueMakesBackupsByItself() async throws {
    let queue = try queue {
      $0.ledger.backup.intervalMs = 50
      $0.ledger.backup.keep = 1
    }
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      let deadline = ContinuousClock.now + .seconds(20)
      var first: Int64 = 0
      while ContinuousClock.now < deadline {
        let status = try client.call(.status, StatusRequest(), StatusResponse.self).ledger
        if first == 0 { first = status.backupUnixMs }
        if first > 0, status.backupUnixMs > first { return }
      }
      Issue.record("no second backup came")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: queue.folder.path("backups"))
    #expect(names.count { $0.hasSuffix(".sqlite") } == 1)
  }

  @Test func jobsAreCancelledPurgedAndCountedOverTheWire() async throws {
    try await queue().run { endpoints in
      let client = try TestClient(endpoints.producers)
      let ids = try submit(client, count: 3)
      let chosen = Array(ids.prefix(2))
      let cancelled = try client.call(
        .cancelJobs, CancelJobsRequest.with { $0.jobIds = chosen }, CancelJobsResponse.self)
      #expect(cancelled.outcomes.map(\.state) == [.cancelled, .cancelled])
      let purged = try client.call(
        .purgeJobs, PurgeJobsRequest.with { $0.jobIds = ids }, PurgeJobsResponse.self)
      #expect(purged.outcomes.map(\.hasError) == [false, false, true])
      #expect(try state(of: ids[0], client) == nil && state(of: ids[2], client) == .ready)
      let statistics = try client.call(
        .ledgerStatistics, LedgerStatisticsRequest(), LedgerStatisticsResponse.self)
      #expect(statistics.states.map(\.jobs) == [1] && statistics.states.map(\.state) == [.ready])
      #expect(statistics.tables.contains { $0.name == "bodies" && $0.rows == 1 })
      #expect(statistics.ledger.fileBytes > 0)
    }
  }

  @Test func drainingIsToldOverTheWireAndOutlivesARestart() async throws {
    let queue = try queue()
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      _ = try client.call(
        .setDraining, SetDrainingRequest.with { $0.draining = true }, SetDrainingResponse.self)
    }
    try await queue.run { endpoints in
      let client = try TestClient(endpoints.producers)
      let call = RerankCall.with { call in
        if let job = try? Sample.job() { call.job = job }
      }
      let error = #expect(throws: CallError.self) {
        try client.call(.rerank, call, JobOutcome.self)
      }
      #expect(error?.code == .unavailable && error?.details.reason == "DRAINING")
    }
  }
}
