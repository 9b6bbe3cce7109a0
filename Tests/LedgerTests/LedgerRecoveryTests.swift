import Foundation
import GRDB
import RerankdProtocol
import TestSupport
import Testing

@testable import Ledger

/// A process that dies is played by copying the file and its WAL while the ledger is open, and
/// opening the copy.
@Suite(.timeLimit(.minutes(1)))
struct LedgerRecoveryTests {
  let fixture: LedgerFixture

  init() throws {
    fixture = try LedgerFixture()
  }

  @Test func freshLedgerBeginsAtTheBeginning() async throws {
    try await fixture.withLedger { _, recovered in
      #expect(recovered.epoch == 1)
      #expect(recovered.nextSequence == 1)
      #expect(recovered.liveJobs == [])
      #expect(recovered.pendingDeliveries.isEmpty)
      #expect(recovered.settings == [:])
    }
  }

  @Test func liveJobsAndUndeliveredOutcomesComeBack() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1))
      await ledger.commit(Life.submitted(2) + Life.leased(2))
      await ledger.commit(Life.submitted(3) + Life.leased(3) + Life.succeeded(3))
      await ledger.commit(Life.whole(4))
      await ledger.commit(
        Life.submitted(5) + [
          .updateJob(.test(5), .test(.cancelled)), .putDelivery(.test(5, .parked, attempts: 9)),
          .putSetting(name: "paused", value: "yes"),
        ])
      let copy = try fixture.copy()
      try await copy.withLedger { ledger, recovered in
        #expect(recovered.epoch == 2)
        #expect(recovered.nextSequence == 6)
        #expect(
          recovered.liveJobs == [
            .test(1, channel: "answers"),
            .test(2, channel: "answers", state: .test(.leased, attempt: 1, spent: 1)),
          ])
        #expect(recovered.pendingDeliveries.map(\.delivery) == [.test(3, .pending)])
        #expect(
          recovered.pendingDeliveries.map(\.job) == [
            .test(3, channel: "answers", state: .test(.succeeded, attempt: 1, spent: 1))
          ])
        #expect(recovered.settings == ["paused": "yes"])
        try #expect(ledger.integrityCheck() == [])
      }
    }
  }

  @Test func everythingReportedDurableIsInTheFileAtThatMoment() async throws {
    try await fixture.withLedger { ledger, _ in
      for sequence in 1...5 as ClosedRange<UInt64> {
        await ledger.commit(Life.submitted(sequence))
        let copy = try fixture.copy()
        try await copy.withLedger { copied, recovered in
          #expect(recovered.liveJobs.map(\.id.sequence) == Array(1...sequence))
          try #expect(copied.integrityCheck() == [])
        }
      }
    }
  }

  @Test func tornEndOfTheWALCostsOnlyTheCommitItBelongsTo() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1))
      await ledger.commit(Life.submitted(2))
      let copy = try fixture.copy()
      let wal = try FileHandle(forUpdating: URL(filePath: copy.configuration.path + "-wal"))
      try wal.truncate(atOffset: try wal.seekToEnd() - 100)
      try wal.close()
      try await copy.withLedger { copied, recovered in
        #expect(recovered.liveJobs.map(\.id) == [.test(1)])
        try #expect(copied.integrityCheck() == [])
      }
    }
  }

  @Test func chunksWithoutTheirJobAreSweptAndTheirSequenceNotReused() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit([
        .putBodyChunk(.test(7), index: 0, [1]),
        .putBodyChunk(.test(8), index: 0, [1, 2, 3, 4]),
        .insertJob(.test(8, bodyChunks: 1), body: nil), .putBodyChunk(.test(9), index: 0, [2]),
      ])
    }
    try await fixture.withLedger { ledger, recovered in
      #expect(recovered.nextSequence == 10)
      #expect(recovered.liveJobs.map(\.id) == [.test(8)])
      #expect(await ledger.read(.body(.test(8))) == .body([1, 2, 3, 4]))
    }
    try fixture.withWriter { writer in
      let keys = try writer.queue.read { try Int64.fetchAll($0, sql: "SELECT id FROM bodies") }
      #expect(keys == [RowKey.first(8)])
    }
  }

  @Test func sequencesOfRemovedJobsAreNotReused() async throws {
    var fixture = fixture
    fixture.configuration.retention.countTerminalMax = 0
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(41))
      try await eventually("removal", { try await ledger.job(41) == nil })
    }
    try await fixture.withLedger { _, recovered in
      #expect(recovered.nextSequence == 42)
    }
  }

  @Test func retriedJobWithAnOutcomeStillUndeliveredIsLiveAgain() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(
        Life.submitted(1) + [
          .updateJob(.test(1), .test(.dead)), .putDelivery(.test(1, .pending)),
        ])
      await ledger.commit([.updateJob(.test(1), .test(.ready))])
    }
    try await fixture.withLedger { _, recovered in
      #expect(recovered.liveJobs.map(\.id) == [.test(1)])
      #expect(recovered.pendingDeliveries.isEmpty)
    }
  }
}
