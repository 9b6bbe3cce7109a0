import GRDB
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

@testable import Ledger

@Suite(.timeLimit(.minutes(1)))
struct LedgerWriteTests {
  let fixture: LedgerFixture

  init() throws {
    fixture = try LedgerFixture()
  }

  @Test func everyStepOfALifeIsReadBackAsItWasWritten() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1, key: "k"))
      var job = try #require(try await ledger.job(1))
      var expected = JobRecord.test(1, key: "k", channel: "answers")
      #expect(job == StoredJob(record: expected, request: [1, 2, 3, 4]))

      await ledger.commit(Life.leased(1))
      expected.state = .test(.leased, attempt: 1, spent: 1)
      job = try #require(try await ledger.job(1))
      #expect(job.record == expected)

      await ledger.commit(Life.succeeded(1))
      expected.state = .test(.succeeded, attempt: 1, spent: 1)
      job = try #require(try await ledger.job(1))
      #expect(
        job
          == StoredJob(
            record: expected, delivery: .test(1, .pending), result: [7, 7],
            attempts: [.test(1, 1, .succeeded)], request: [1, 2, 3, 4]))

      await ledger.commit(Life.acknowledged(1))
      job = try #require(try await ledger.job(1))
      #expect(job.delivery == .test(1, .acknowledged, attempts: 1))
      try #expect(ledger.integrityCheck() == [])
    }
  }

  @Test func foldedLifeReadsLikeOneThatTookItsTime() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      for writes in [
        Life.submitted(2), Life.leased(2), Life.succeeded(2), Life.acknowledged(2),
      ] {
        await ledger.commit(writes)
      }
      let folded = try #require(try await ledger.job(1))
      var stepwise = try #require(try await ledger.job(2))
      stepwise.record.id = .test(1)
      stepwise.delivery?.jobID = .test(1)
      stepwise.attempts[0].jobID = .test(1)
      #expect(folded == stepwise)
    }
  }

  @Test func readsSeeTheWritesOfTheirOwnBatch() async throws {
    try await fixture.withLedger { ledger, _ in
      let result = await ledger.read(.body(.test(1)), after: Life.submitted(1, body: [5, 6]))
      #expect(result == .body([5, 6]))
    }
  }

  @Test func batchesBecomeDurableInOrderAndSharedCommitsAreFewer() async throws {
    try await fixture.withLedger { ledger, _ in
      let order = Mutex<[UInt64]>([])
      for sequence in 1...200 as ClosedRange<UInt64> {
        ledger.commit(
          LedgerBatch(writes: Life.submitted(sequence)),
          onDurable: { order.withLock { $0.append(sequence) } }, onRead: { _, _ in })
      }
      await ledger.commit([])
      #expect(order.withLock { $0 } == Array(1...200))
      #expect(ledger.status().commits < 200)
    }
  }

  @Test func chunksComeBackInOrderWhateverOrderTheyCameIn() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit([.putBodyChunk(.test(1), index: 2, [5, 6])])
      await ledger.commit([
        .putBodyChunk(.test(1), index: 0, [1, 2]), .putBodyChunk(.test(1), index: 1, [3, 4]),
        .insertJob(.test(1, bodyBytes: 6, bodyChunks: 3), body: nil),
      ])
      #expect(await ledger.read(.body(.test(1))) == .body([1, 2, 3, 4, 5, 6]))
    }
  }

  @Test func transactionIsSplitAfterChunksWhenItGrowsTooLarge() async throws {
    var fixture = fixture
    fixture.configuration.batchBytesMax = 10_000
    try await fixture.withLedger { ledger, _ in
      let chunks = (0..<8).map {
        LedgerWrite.putBodyChunk(.test(1), index: $0, [UInt8](repeating: UInt8($0), count: 4_096))
      }
      await ledger.commit(
        chunks + [.insertJob(.test(1, bodyBytes: 8 * 4_096, bodyChunks: 8), body: nil)])
      #expect(ledger.status().commits == 3)
      guard case .body(let body) = await ledger.read(.body(.test(1))) else {
        Issue.record("no body")
        return
      }
      #expect(body == (0..<8).flatMap { [UInt8](repeating: $0, count: 4_096) })
    }
  }

  @Test func droppedBodyLeavesNoRows() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit([.putBodyChunk(.test(1), index: 0, [1])])
      await ledger.commit([.putBodyChunk(.test(1), index: 1, [2]), .dropBody(.test(1))])
    }
    try fixture.withWriter { writer in
      let rows = try writer.queue.read {
        try Int.fetchOne($0, sql: "SELECT (SELECT count(*) FROM bodies) + count(*) FROM uploads")
      }
      #expect(rows == 0)
    }
  }

  @Test func lostAttemptMayStillSucceedAndItsResultStays() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1) + Life.leased(1))
      await ledger.commit([
        .insertAttempt(.test(1, 1, .lost)),
        .updateJob(.test(1), .test(.ready, attempt: 1, spent: 1)),
      ])
      await ledger.commit(Life.succeeded(1, result: [8]))
      let job = try #require(try await ledger.job(1))
      #expect(job.attempts == [.test(1, 1, .succeeded)])
      #expect(job.result == [8])
    }
  }

  @Test func historyIsBoundedAndKeepsTheNewestAttempt() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1))
      for attempt in [1, RowKey.ordinalMax, RowKey.ordinalMax + 1] {
        await ledger.commit([.insertAttempt(.test(1, attempt, .released))])
      }
      await ledger.commit([
        .insertAttempt(.test(1, RowKey.ordinalMax + 2, .succeeded, result: [4])),
        .updateJob(.test(1), .test(.succeeded, attempt: RowKey.ordinalMax + 2)),
      ])
      let job = try #require(try await ledger.job(1))
      #expect(job.attempts.map(\.end) == [.released, .succeeded])
      #expect(job.result == [4])
    }
  }

  @Test func deadJobIsRetriedAndItsOutcomeDeliveredAnew() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1) + Life.leased(1))
      await ledger.commit([
        .insertAttempt(.test(1, 1, .failed)),
        .updateJob(.test(1), .test(.dead, attempt: 1, spent: 1)),
        .putDelivery(.test(1, .pending)),
      ])
      await ledger.commit(Life.acknowledged(1))
      await ledger.commit([.updateJob(.test(1), .test(.ready, attempt: 1))])
      await ledger.commit([.updateJob(.test(1), .test(.leased, attempt: 2, spent: 1))])
      await ledger.commit([
        .insertAttempt(.test(1, 2, .succeeded, result: [3])),
        .updateJob(.test(1), .test(.succeeded, attempt: 2, spent: 1)),
        .putDelivery(.test(1, .pending)),
      ])
      let job = try #require(try await ledger.job(1))
      #expect(job.attempts.map(\.end) == [.failed, .succeeded])
      #expect(job.delivery?.state == .pending)
      #expect(job.result == [3])
    }
  }

  @Test func retryThatIsLeasedInTheSameTransactionIsAllowed() throws {
    try fixture.withWriter { writer in
      func commit(_ writes: [LedgerWrite]) throws {
        var transaction = LedgerTransaction(shard: LedgerFixture.shard)
        for write in writes { try transaction.add(write) }
        try writer.commit(transaction, nowMs: LedgerFixture.now)
      }
      try commit(Life.submitted(1))
      try commit([.updateJob(.test(1), .test(.expired))])
      try commit([
        .updateJob(.test(1), .test(.ready)),
        .updateJob(.test(1), .test(.leased, attempt: 1, spent: 1)),
      ])
    }
  }

  @Test func keysFindTheirJobs() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(
        Life.submitted(1, key: "k") + [
          .insertJob(.test(2, key: "k", tenant: "other"), body: [0, 0, 0, 0])
        ])
      let hash = [UInt8](repeating: 9, count: 32)
      #expect(
        await ledger.read(.key(tenant: "default", key: "k"))
          == .key(KeyedJob(id: .test(1), payloadHash: hash, state: .ready)))
      #expect(
        await ledger.read(.key(tenant: "other", key: "k"))
          == .key(KeyedJob(id: .test(2), payloadHash: hash, state: .ready)))
      #expect(await ledger.read(.key(tenant: "third", key: "k")) == .key(nil))
      let byKey = await ledger.read(
        .jobByKey(tenant: "default", key: "k", withRequest: false, withAttempts: false))
      guard case .job(let job) = byKey else { throw UnexpectedResult(result: byKey) }
      #expect(job?.record.id == .test(1))
      #expect(job?.request == nil)
    }
  }

  @Test func textMayBeEmptyOrHoldZeroBytes() async throws {
    try await fixture.withLedger { ledger, _ in
      let job = JobRecord.test(1, bodyBytes: 0, model: "a\u{0}b", tenant: "")
      await ledger.commit([.insertJob(job, body: [])])
      try await #expect(ledger.job(1) == StoredJob(record: job, request: []))
    }
  }

  @Test func onlyTheNewestRejectsAreKept() async throws {
    var fixture = fixture
    fixture.configuration.rejectRowsMax = 3
    try await fixture.withLedger { ledger, _ in
      for index in 0..<10 as Range<Int64> {
        await ledger.commit([
          .insertReject(RejectRow(receivedMs: index, code: 3, message: "bad", excerpt: [1]))
        ])
      }
    }
    try fixture.withWriter { writer in
      let kept = try writer.queue.read {
        try Int64.fetchAll($0, sql: "SELECT received_ms FROM rejects ORDER BY id")
      }
      #expect(kept == [7, 8, 9])
    }
  }
}
