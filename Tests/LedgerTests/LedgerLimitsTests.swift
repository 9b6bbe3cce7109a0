import Dispatch
import Foundation
import GRDB
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

@testable import Ledger

@Suite(.timeLimit(.minutes(1)))
struct LedgerLimitsTests {
  var fixture: LedgerFixture

  init() throws {
    fixture = try LedgerFixture()
  }

  private func list(_ filter: JobFilter, _ ledger: Ledger) async throws -> [UInt64] {
    let result = await ledger.read(.list(filter))
    guard case .list(let jobs) = result else { throw UnexpectedResult(result: result) }
    return jobs.map(\.record.id.sequence)
  }

  @Test func listIsNewestFirstFilteredAndBounded() async throws {
    var fixture = fixture
    fixture.configuration.listRowsMax = 5
    try await fixture.withLedger { ledger, _ in
      for sequence in 1...4 as ClosedRange<UInt64> { await ledger.commit(Life.whole(sequence)) }
      await ledger.commit([
        .insertJob(.test(5, model: "other"), body: [0, 0, 0, 0]),
        .insertJob(.test(6, tenant: "b"), body: [0, 0, 0, 0]),
        .insertJob(.test(7, state: .test(.dead)), body: [0, 0, 0, 0]),
        .insertJob(.test(8, state: .test(.expired)), body: [0, 0, 0, 0]),
      ])
      try await #expect(list(JobFilter(), ledger) == [8, 7, 6, 5, 4])
      try await #expect(list(JobFilter(before: .test(4), limit: 2), ledger) == [3, 2])
      try await #expect(list(JobFilter(model: "other"), ledger) == [5])
      try await #expect(list(JobFilter(tenant: "b"), ledger) == [6])
      try await #expect(list(JobFilter(states: [.ready, .leased]), ledger) == [6, 5])
      try await #expect(list(JobFilter(states: [.dead, .expired]), ledger) == [8, 7])
      try await #expect(list(JobFilter(states: [.dead, .ready]), ledger) == [7, 6, 5])
      try await #expect(list(JobFilter(states: [.succeeded], limit: 1), ledger) == [4])
      try await #expect(list(JobFilter(before: JobID(shard: 9, sequence: 5)), ledger) == [])
    }
  }

  @Test func listOfLiveOrUnsuccessfulJobsNeedsNoWalkThroughTheOthers() throws {
    try fixture.withWriter { writer in
      for (states, index) in [
        ([JobState.ready, .leased], "jobs_open"), ([.dead, .cancelled], "jobs_unsuccessful"),
      ] {
        let sql = LedgerReader.listSQL(JobFilter(states: states))
          .replacing("?1", with: "99").replacing("?4", with: "10")
        let plan = try writer.queue.read {
          try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN \(sql)").map { $0["detail"] as String }
        }
        #expect(plan.contains { $0.contains(index) }, "\(plan)")
      }
    }
  }

  @Test func readsBeyondTheLimitAreRefusedAndTheOthersAnswered() throws {
    let (ledger, _) = try fixture.open()
    defer { ledger.close() }
    let reader = try LedgerReader(
      path: fixture.configuration.path, shard: LedgerFixture.shard,
      configuration: fixture.configuration)
    let thread = ReaderThread(reader, readsQueuedMax: 3)
    // The first read's answer holds the thread, so that the others wait.
    let isHeld = DispatchSemaphore(value: 0)
    let goesOn = DispatchSemaphore(value: 0)
    thread.enqueue([(0, .body(.test(1)))]) { _, _ in
      isHeld.signal()
      goesOn.wait()
    }
    isHeld.wait()
    let answers = Mutex<[UInt64: LedgerReadResult]>([:])
    thread.enqueue((1...5).map { ($0, .body(.test(1))) }) { ticket, result in
      answers.withLock { $0[ticket] = result }
    }
    goesOn.signal()
    thread.stop()
    let refusal = LedgerReadResult.failed("3 reads are waiting already: try again later")
    #expect(
      answers.withLock { $0 } == [
        1: .body(nil), 2: .body(nil), 3: refusal, 4: refusal, 5: refusal,
      ])
  }

  @Test func readThatTakesTooLongIsGivenUp() async throws {
    var fixture = fixture
    fixture.configuration.readTimeoutMs = 1
    try await fixture.withLedger { ledger, _ in
      // Enough rows that a walk through all of them takes longer than a millisecond.
      var writes: [LedgerWrite] = []
      for sequence in 1...20_000 as ClosedRange<UInt64> {
        writes.append(.insertJob(.test(sequence, bodyBytes: 0), body: nil))
      }
      await ledger.commit(writes)
      let result = await ledger.read(.list(JobFilter(tenant: "nobody")))
      guard case .failed(let message) = result else { throw UnexpectedResult(result: result) }
      #expect(message.contains("longer than 1 ms"))
      // The next read starts afresh.
      #expect(await ledger.read(.key(tenant: "nobody", key: "k")) == .key(nil))
    }
  }

  @Test func walIsCheckpointedBySizeAndItsFileWrittenOver() async throws {
    var fixture = fixture
    fixture.configuration.walCheckpointBytes = 256 << 10
    try await fixture.withLedger { ledger, _ in
      let body = [UInt8](repeating: 1, count: 32 << 10)
      for sequence in 1...100 as ClosedRange<UInt64> {
        await ledger.commit(Life.submitted(sequence, body: body))
      }
      let status = ledger.status()
      #expect(status.fileBytes > 2 << 20)
      #expect(status.walBytes >= 256 << 10)
      #expect(status.walBytes < 512 << 10)
    }
  }

  @Test func snapshotInTheWayLetsTheWALGrowOnlyUntilItsCeilingIsFree() async throws {
    var fixture = fixture
    fixture.configuration.walCheckpointBytes = 64 << 10
    fixture.configuration.walTruncateBytes = 512 << 10
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1))
      let body = [UInt8](repeating: 1, count: 32 << 10)
      let snapshot = try Snapshot(path: fixture.configuration.path)
      for sequence in 2...12 as ClosedRange<UInt64> {
        await ledger.commit(Life.submitted(sequence, body: body))
      }
      #expect(ledger.status().walBytes > 256 << 10)
      try snapshot.end()
      for sequence in 13...40 as ClosedRange<UInt64> {
        await ledger.commit(Life.submitted(sequence, body: body))
      }
      #expect(ledger.status().walBytes < 512 << 10)
      try #expect(ledger.integrityCheck() == [])
    }
  }

  @Test func idleLedgerCheckpointsWhatIsLeft() async throws {
    var fixture = fixture
    fixture.configuration.checkpointIntervalMs = 5
    try await fixture.withLedger { ledger, _ in
      let body = [UInt8](repeating: 1, count: 256 << 10)
      await ledger.commit(Life.submitted(1, body: body))
      try await eventually("the checkpoint", { ledger.status().fileBytes > 256 << 10 })
    }
  }

  @Test func tooLittleFreeSpaceRefusesSubmitsAndStillRecordsOutcomes() async throws {
    var fixture = fixture
    fixture.configuration.freeBytesReserve = .max
    try await fixture.withLedger { ledger, _ in
      #expect(!ledger.status().acceptsSubmits)
      #expect(ledger.status().freeBytes > 0)
      await ledger.commit(Life.whole(1))
      try await #expect(ledger.job(1) != nil)
    }
    fixture.configuration.freeBytesReserve = 1
    try await fixture.withLedger { ledger, _ in #expect(ledger.status().acceptsSubmits) }
  }

  @Test(arguments: [(3, .max), (.max, 12)] as [(Int, Int64)])
  func tenantOfWhomEnoughIsKeptIsFullUntilSomeIsRemoved(_ jobs: Int, _ bytes: Int64) async throws {
    var fixture = fixture
    fixture.configuration.tenantStoredJobsMax = jobs
    fixture.configuration.tenantStoredBytesMax = bytes
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1) + Life.submitted(2) + Life.submitted(3, tenant: "other"))
      #expect(ledger.fullTenants == [])
      await ledger.commit(Life.whole(4))
      #expect(ledger.fullTenants == ["default"])
    }
    try await fixture.withLedger { ledger, _ in
      #expect(ledger.fullTenants == ["default"])
      await ledger.commit([.removeJob(.test(1))])
      #expect(ledger.fullTenants == [])
      await ledger.commit(Life.submitted(5))
      #expect(ledger.fullTenants == ["default"])
      try await #expect(ledger.check().problems == [])
    }
  }

  @Test func callerWaitsWhileTooManyBatchesDo() throws {
    var fixture = fixture
    fixture.configuration.batchesQueuedMax = 2
    let (ledger, _) = try fixture.open()
    let isHeld = DispatchSemaphore(value: 0)
    let goesOn = DispatchSemaphore(value: 0)
    ledger.commit(
      LedgerBatch(writes: Life.submitted(1)),
      onDurable: {
        isHeld.signal()
        goesOn.wait()
      }, onRead: { _, _ in })
    isHeld.wait()
    let handedOver = DispatchSemaphore(value: 0)
    let producer = Thread {
      for sequence in 2...3 as ClosedRange<UInt64> {
        ledger.commit(
          LedgerBatch(writes: Life.submitted(sequence)), onDurable: {}, onRead: { _, _ in })
        handedOver.signal()
      }
    }
    producer.start()
    // One batch is held in its report, one waits; there is no room for a third.
    handedOver.wait()
    #expect(handedOver.wait(timeout: .now() + .milliseconds(50)) == .timedOut)
    goesOn.signal()
    handedOver.wait()
    ledger.close()
  }

  @Test func percentilesAreNearestRanksOfTheLatestCommits() {
    var durations = CommitDurations()
    #expect(durations.percentiles([0.5, 0.99]) == [0, 0])
    for microseconds in 1...100 as ClosedRange<UInt64> {
      durations.record(microseconds: microseconds)
    }
    #expect(durations.percentiles([0.5, 0.99, 1]) == [50, 99, 100])
    for _ in 0..<CommitDurations.countMax { durations.record(microseconds: 7) }
    #expect(durations.percentiles([0, 0.5, 1]) == [7, 7, 7])
    #expect(durations.commits == 100 + UInt64(CommitDurations.countMax))
  }
}

/// A reader that stays, as an integrity check of a large file does.
private final class Snapshot {
  private let queue: DatabaseQueue

  init(path: String) throws {
    var options = Configuration()
    options.readonly = true
    options.allowsUnsafeTransactions = true
    queue = try DatabaseQueue(path: path, configuration: options)
    try queue.unsafeReentrantRead { database in
      try database.execute(sql: "BEGIN")
      _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs")
    }
  }

  func end() throws {
    try queue.unsafeReentrantRead { try $0.execute(sql: "ROLLBACK") }
    try queue.close()
  }
}
