import RerankdProtocol
import Testing

@testable import Ledger

struct LedgerTransactionTests {
  private func fold(_ writes: [LedgerWrite]) throws -> LedgerTransaction {
    var transaction = LedgerTransaction(shard: LedgerFixture.shard)
    for write in writes { try transaction.add(write) }
    return transaction
  }

  @Test func wholeLifeFoldsIntoItsInsert() throws {
    let transaction = try fold(Life.whole(1))
    #expect(transaction.jobs.count == 1)
    #expect(transaction.jobs[0].insert?.state.state == .succeeded)
    #expect(transaction.jobs[0].state == nil)
    #expect(transaction.jobs[0].delivery?.state == .acknowledged)
    #expect(transaction.bodies.count == 1)
    #expect(transaction.attempts.count == 1)
  }

  @Test func severalUpdatesFoldIntoTheLastAndKeepTheFirstForTheFence() throws {
    let transaction = try fold(Life.leased(1) + Life.succeeded(1))
    #expect(transaction.jobs.count == 1)
    #expect(transaction.jobs[0].state?.state == .succeeded)
    #expect(transaction.jobs[0].firstState?.state == .leased)
  }

  @Test(arguments: [
    (JobStateRecord.test(.succeeded, attempt: 1), JobStateRecord.test(.ready, attempt: 1)),
    (.test(.succeeded, attempt: 1), .test(.dead, attempt: 1)),
    (.test(.dead, attempt: 2, spent: 2), .test(.succeeded, attempt: 2)),
    (.test(.dead, attempt: 2, spent: 2), .test(.ready, attempt: 2, spent: 1)),
    (.test(.cancelled), .test(.expired)),
    (.test(.leased, attempt: 2), .test(.ready, attempt: 1)),
  ])
  func changeThatContradictsAnEarlierOneIsRefused(from: JobStateRecord, to: JobStateRecord) throws {
    #expect(!from.permits(to))
    let error = #expect(throws: LedgerError.self) {
      try fold([.updateJob(.test(1), from), .updateJob(.test(1), to)])
    }
    #expect(error?.code == .invariant)
  }

  @Test(arguments: [
    (JobStateRecord.test(.ready), JobStateRecord.test(.leased, attempt: 1, spent: 1)),
    (.test(.leased, attempt: 1, spent: 1), .test(.ready, attempt: 1, spent: 0)),
    (.test(.leased, attempt: 1), .test(.cancelled, attempt: 1)),
    (.test(.dead, attempt: 5, spent: 5), .test(.ready, attempt: 5)),
    (.test(.expired), .test(.delayed)),
  ])
  func livesGoOnAndUnsuccessfulJobsMayBeRetried(from: JobStateRecord, to: JobStateRecord) {
    #expect(from.permits(to))
  }

  @Test func jobOfAnotherShardIsRefused() throws {
    let error = #expect(throws: LedgerError.self) {
      try fold([.dropBody(JobID(shard: 9, sequence: 1))])
    }
    #expect(error?.code == .invariant)
  }

  @Test func droppedBodyTakesItsChunksOutOfTheTransaction() throws {
    let transaction = try fold([
      .putBodyChunk(.test(1), index: 0, [1]), .putBodyChunk(.test(2), index: 0, [2]),
      .dropBody(.test(1)),
    ])
    #expect(transaction.bodies.map(\.sequence) == [2])
    #expect(transaction.uploads == [2])
    #expect(transaction.dropped == [1])
  }

  @Test func settingsFoldByName() throws {
    let transaction = try fold([
      .putSetting(name: "paused", value: "yes"), .putSetting(name: "paused", value: "no"),
    ])
    #expect(transaction.settings == ["paused": "no"])
  }

  @Test func chunkBeyondTheLastOrdinalIsRefused() throws {
    #expect(throws: LedgerError.self) {
      try fold([.putBodyChunk(.test(1), index: RowKey.ordinalMax + 1, [])])
    }
  }

  @Test(arguments: [1, 77, (1 << 48) - 1] as [Int64])
  func rowKeysKeepSequenceAndOrdinalApart(sequence: Int64) throws {
    for ordinal in [0, 1, RowKey.ordinalMax] {
      let key = try RowKey.chunk(sequence, ordinal)
      #expect(RowKey.sequence(key) == sequence)
      #expect(RowKey.ordinal(key) == ordinal)
      #expect(key >= RowKey.first(sequence) && key <= RowKey.last(sequence))
    }
  }
}
