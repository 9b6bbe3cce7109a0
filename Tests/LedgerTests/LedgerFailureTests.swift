import GRDB
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

@testable import Ledger

/// What the callbacks of a failing ledger were told.
private final class Record: Sendable {
  let errors = Mutex<[LedgerError]>([])
  let durable = Mutex<[Int]>([])

  func fail(_ error: LedgerError) { errors.withLock { $0.append(error) } }
}

@Suite(.timeLimit(.minutes(1)))
struct LedgerFailureTests {
  let fixture: LedgerFixture
  private let record = Record()

  init() throws {
    fixture = try LedgerFixture()
  }

  /// Commits batch after batch and returns when the ledger has closed.
  private func commit(_ batches: [[LedgerWrite]], _ ledger: Ledger) {
    for (index, writes) in batches.enumerated() {
      ledger.commit(
        LedgerBatch(writes: writes),
        onDurable: { record.durable.withLock { $0.append(index) } }, onRead: { _, _ in })
    }
  }

  private func open() throws -> Ledger {
    try Ledger.open(
      fixture.configuration, shard: LedgerFixture.shard, wallMs: LedgerFixture.now,
      onFailure: record.fail
    ).0
  }

  /// A ledger whose file may grow by a few pages, as on a volume that is nearly full.
  private func openWithRoom(pages: Int) throws -> (CommitThread, LedgerFile) {
    let file = try LedgerFile(locking: fixture.configuration.path)
    let writer = try LedgerWriter(
      path: file.path, shard: LedgerFixture.shard, configuration: fixture.configuration)
    _ = try writer.recover()
    try writer.queue.writeWithoutTransaction {
      let count = try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0
      try $0.execute(sql: "PRAGMA max_page_count = \(count + pages)")
    }
    let reader = try LedgerReader(
      path: file.path, shard: LedgerFixture.shard, configuration: fixture.configuration)
    let thread = CommitThread(
      writer, reader: ReaderThread(reader, readsQueuedMax: 10),
      configuration: fixture.configuration, clock: LedgerClock(wallMs: LedgerFixture.now),
      snapshots: LongSnapshots(), onFailure: record.fail)
    return (thread, file)
  }

  @Test func fullVolumeEndsTheLedgerAndNothingOfTheBatchIsReported() async throws {
    let (thread, file) = try openWithRoom(pages: 4)
    let big = [UInt8](repeating: 1, count: 64 << 10)
    let batches =
      [Life.submitted(1), Life.submitted(2, body: big)]
      + (3...40).map { Life.submitted($0) }
    for (index, writes) in batches.enumerated() {
      thread.enqueue(
        CommitThread.Batch(
          content: LedgerBatch(writes: writes),
          onDurable: { record.durable.withLock { $0.append(index) } }, onRead: { _, _ in }))
      if index == 0 {
        try await eventually("the first batch", { !record.durable.withLock(\.isEmpty) })
      }
    }
    thread.stop()
    file.unlock()
    #expect(record.errors.withLock { $0.map(\.code) } == [.full])
    #expect(record.durable.withLock { $0 } == [0])

    try await fixture.withLedger { ledger, recovered in
      #expect(recovered.liveJobs.map(\.id) == [.test(1)])
      try #expect(ledger.integrityCheck() == [])
    }
  }

  @Test(
    arguments: [
      (
        "a job that was never inserted",
        [LedgerWrite.updateJob(.test(8), .test(.leased, attempt: 1))]
      ),
      ("a delivery of no job", [.putDelivery(.test(8, .pending))]),
      ("a success undone", [.updateJob(.test(1), .test(.ready, attempt: 1))]),
      ("a second end", [.updateJob(.test(1), .test(.cancelled, attempt: 1))]),
      ("an attempt that counts down", [.updateJob(.test(2), .test(.leased, attempt: 0, spent: 1))]),
      ("an end other than the one that succeeded", [.insertAttempt(.test(1, 1, .lost))]),
      ("an acknowledgement taken back", [.putDelivery(.test(1, .parked))]),
      ("a key twice", Life.submitted(9, key: "taken")),
      ("a job twice", Life.submitted(1)),
      ("chunks that never came", [.insertJob(.test(9, bodyBytes: 2, bodyChunks: 2), body: nil)]),
      ("no state at all", [.updateJob(.test(2), .test(.unspecified, attempt: 1))]),
    ] as [(String, [LedgerWrite])])
  func contradictionIsReportedAndWritesNothing(what: String, writes: [LedgerWrite]) async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      await ledger.commit(Life.submitted(2, key: "taken") + Life.leased(2))
    }
    let ledger = try open()
    commit([Life.submitted(3) + writes, Life.submitted(4)], ledger)
    ledger.close()
    #expect(record.errors.withLock { $0.map(\.code) } == [.invariant])
    #expect(record.durable.withLock { $0 } == [])

    try await fixture.withLedger { ledger, recovered in
      #expect(recovered.liveJobs.map(\.id) == [.test(2)])
      #expect(recovered.liveJobs.first?.state.attempt == 1)
      try await #expect(ledger.job(1)?.record.state.state == .succeeded)
      try #expect(ledger.integrityCheck() == [])
    }
  }

  @Test func failedLedgerTakesNoSubmits() throws {
    let ledger = try open()
    commit([[.putDelivery(.test(1, .pending))]], ledger)
    ledger.close()
    #expect(!ledger.status().acceptsSubmits)
  }

  @Test func batchAfterClosingIsNeverReported() throws {
    let ledger = try open()
    ledger.close()
    commit((1...20).map { Life.submitted($0) }, ledger)
    ledger.close()
    #expect(record.durable.withLock { $0 } == [])
    #expect(record.errors.withLock(\.count) == 0)
  }
}
