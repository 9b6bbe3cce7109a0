import Foundation
import GRDB
import RerankdProtocol
import TestSupport
import Testing

@testable import Ledger

@Suite struct RestoreTests {
  private let fixture: LedgerFixture

  init() throws {
    var fixture = try LedgerFixture()
    fixture.configuration.backup.folder = fixture.folder.path("backups")
    self.fixture = fixture
  }

  private var path: String { fixture.configuration.path }

  /// A ledger of jobs 1 to 3, backed up, and then jobs 4 to 9.
  private func backUp() async throws -> String {
    try await fixture.withLedger { ledger, recovered in
      #expect(recovered.epoch == 1)
      for sequence in UInt64(1)...3 { await ledger.commit(Life.submitted(sequence)) }
      let backup = try await ledger.backUp()
      for sequence in UInt64(4)...9 { await ledger.commit(Life.submitted(sequence)) }
      return backup.path
    }
  }

  @Test func restoredLedgerHoldsTheBackupAndGivesNoNumberOutAgain() async throws {
    let backup = try await backUp()
    let restoration = try Ledger.restore(
      from: backup, to: path, replacing: true, wallMs: LedgerFixture.now)
    #expect(restoration.jobs == 3 && restoration.path == path)
    try await fixture.withLedger { ledger, recovered in
      #expect(recovered.liveJobs.map(\.id) == [.test(1), .test(2), .test(3)])
      #expect(recovered.nextSequence == restoration.nextSequence)
      // Whatever was given out after the backup lies below.
      #expect(recovered.nextSequence > 9 && recovered.nextSequence == 4 + UInt64(1) << 40)
      #expect(recovered.epoch == 2 + UInt64(1) << 32)
      let next = recovered.nextSequence
      await ledger.commit(Life.submitted(next))
      try await #expect(ledger.job(next)?.record.id == .test(next))
      try await #expect(ledger.check().problems == [])
    }
  }

  @Test func ledgerThatWasThereIsKeptAside() async throws {
    let backup = try await backUp()
    let restoration = try Ledger.restore(
      from: backup, to: path, replacing: true, wallMs: LedgerFixture.now)
    let aside = try #require(restoration.keptAside)
    #expect(aside == path + ".replaced-20260921T141320Z")
    #expect(try Ledger.check(file: aside).jobs == 9)
    // A second one in the same second would have the same name.
    #expect {
      try Ledger.restore(from: backup, to: path, replacing: true, wallMs: LedgerFixture.now)
    } throws: { ($0 as? LedgerError)?.code == .exists }
    #expect(try Ledger.check(file: path).jobs == 3)
  }

  /// A queue that was killed has the newest of its jobs in the write-ahead log.
  @Test func whatIsInTheLogOfTheOldLedgerIsKeptWithIt() async throws {
    let backup = try await backUp()
    let (ledger, _) = try fixture.open()
    await ledger.commit(Life.submitted(10))
    let killed = try fixture.copy()
    ledger.close()
    #expect(LedgerFile.size(killed.configuration.path + "-wal") > 0)
    let restoration = try Ledger.restore(
      from: backup, to: killed.configuration.path, replacing: true, wallMs: LedgerFixture.now)
    #expect(try Ledger.check(file: try #require(restoration.keptAside)).jobs == 10)
    #expect(try Ledger.check(file: killed.configuration.path).jobs == 3)
  }

  @Test func ledgerIsReplacedOnlyWhenAskedFor() async throws {
    let backup = try await backUp()
    #expect { try Ledger.restore(from: backup, to: path, wallMs: LedgerFixture.now) } throws: {
      ($0 as? LedgerError)?.code == .exists
    }
    #expect(try Ledger.check(file: path).jobs == 9)
    let other = fixture.folder.path("other.db")
    let restoration = try Ledger.restore(from: backup, to: other, wallMs: LedgerFixture.now)
    #expect(restoration.keptAside == nil)
    var status = stat()
    #expect(stat(other, &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(access(other + ".restored.part", F_OK) != 0)
  }

  @Test func ledgerOfARunningQueueIsNotReplaced() async throws {
    let backup = try await backUp()
    try await fixture.withLedger { ledger, _ in
      #expect {
        try Ledger.restore(from: backup, to: path, replacing: true, wallMs: LedgerFixture.now)
      } throws: { ($0 as? LedgerError)?.code == .locked }
      try await #expect(ledger.job(9) != nil)
    }
  }

  @Test func unsoundBackupIsNotRestored() async throws {
    let backup = try await backUp()
    let file = try FileHandle(forUpdating: URL(filePath: backup))
    try file.seek(toOffset: 3 * 4_096)
    try file.write(contentsOf: Data(repeating: 0x5A, count: 4_096 * 3))
    try file.close()
    #expect {
      try Ledger.restore(from: backup, to: path, replacing: true, wallMs: LedgerFixture.now)
    } throws: { ($0 as? LedgerError)?.code == .corrupt }
    try Data("no ledger".utf8).write(to: URL(filePath: backup))
    #expect {
      try Ledger.restore(from: backup, to: path, replacing: true, wallMs: LedgerFixture.now)
    } throws: { ($0 as? LedgerError)?.code == .corrupt }
    #expect {
      try Ledger.restore(from: path, to: path, replacing: true, wallMs: LedgerFixture.now)
    } throws: { ($0 as? LedgerError)?.code == .configuration }
    #expect(try Ledger.check(file: path).jobs == 9)
  }

  @Test func restorationsBeyondTheLastNumberAreRefused() async throws {
    try fixture.withWriter { writer in
      try writer.queue.writeWithoutTransaction {
        try $0.execute(
          sql: "UPDATE meta SET sequence_floor = ?",
          arguments: [Int64(JobID.sequenceMax) - Ledger.sequenceLeap + 1])
      }
    }
    #expect {
      try Ledger.restore(
        from: path, to: fixture.folder.path("other.db"), wallMs: LedgerFixture.now)
    } throws: { "\($0)".contains("used up") }
    #expect(access(fixture.folder.path("other.db"), F_OK) != 0)
  }
}
