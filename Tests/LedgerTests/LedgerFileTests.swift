import Foundation
import GRDB
import RerankdProtocol
import TestSupport
import Testing

@testable import Ledger

@Suite(.timeLimit(.minutes(1)))
struct LedgerFileTests {
  let fixture: LedgerFixture

  init() throws {
    fixture = try LedgerFixture()
  }

  @Test func commitsAreSyncedInFull() throws {
    try fixture.withWriter { writer in
      func pragma(_ name: String) throws -> String? {
        try writer.queue.read { try String.fetchOne($0, sql: "PRAGMA \(name)") }
      }
      try #expect(pragma("synchronous") == "2")
      try #expect(pragma("journal_mode") == "wal")
      try #expect(pragma("wal_autocheckpoint") == "0")
      try #expect(pragma("secure_delete") == "0")
      try #expect(pragma("page_size") == "4096")
    }
  }

  @Test func secondOpenerIsRefusedAndToldWhoHoldsTheLedger() async throws {
    try await fixture.withLedger { _, _ in
      let error = #expect(throws: LedgerError.self) { try fixture.open() }
      #expect(error?.code == .locked)
      #expect(error?.message.contains("process \(getpid())") == true)
    }
    try fixture.open().0.close()
  }

  @Test func aLinkToTheLedgerTakesTheSameLock() async throws {
    try await fixture.withLedger { _, _ in
      var other = fixture
      other.configuration.path = fixture.folder.path("link.db")
      try FileManager.default.createSymbolicLink(
        atPath: other.configuration.path, withDestinationPath: fixture.configuration.path)
      let error = #expect(throws: LedgerError.self) { try other.open() }
      #expect(error?.code == .locked)
    }
  }

  @Test func everyFileIsItsOwnersAlone() async throws {
    try Data().write(to: URL(filePath: fixture.configuration.path))
    chmod(fixture.configuration.path, 0o644)
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      for suffix in ["", "-wal", "-shm", ".lock"] {
        var status = stat()
        #expect(stat(fixture.configuration.path + suffix, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600, "\(suffix)")
      }
    }
  }

  @Test func missingFolderIsNamed() throws {
    var fixture = fixture
    fixture.configuration.path = fixture.folder.path("absent/queue.db")
    let error = #expect(throws: LedgerError.self) { try fixture.open() }
    #expect(error?.code == .permissions)
    #expect(error?.message.contains("absent/queue.db") == true)
  }

  @Test func ledgerFromTheFutureIsRefused() throws {
    try fixture.withWriter { writer in
      try writer.queue.write {
        try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('v9999')")
      }
    }
    let error = #expect(throws: LedgerError.self) { try fixture.open() }
    #expect(error?.code == .future)
    #expect(error?.message.contains("newer version") == true)
  }

  @Test func ledgerOfAnotherShardIsRefused() throws {
    try fixture.open().0.close()
    let error = #expect(throws: LedgerError.self) {
      try Ledger.open(fixture.configuration, shard: 4, wallMs: LedgerFixture.now)
    }
    #expect(error?.code == .shard)
    // The refusal gave the lock back and changed nothing.
    try #expect(fixture.open().1.epoch == 2)
  }

  @Test func fileThatIsNoLedgerIsRefused() throws {
    try fixture.folder.write(String(repeating: "not a ledger ", count: 1_000), to: "queue.db")
    let error = #expect(throws: LedgerError.self) { try fixture.open() }
    #expect(error?.code == .corrupt)
  }

  @Test func everyOpeningCountsTheEpochUp() throws {
    for epoch in 1...3 as ClosedRange<UInt64> {
      let (ledger, recovered) = try fixture.open()
      #expect(recovered.epoch == epoch)
      ledger.close()
    }
  }

  @Test func wrongTypesAreRefusedByTheTables() throws {
    try fixture.withWriter { writer in
      try writer.queue.writeWithoutTransaction { database in
        for sql in [
          "INSERT INTO bodies VALUES (1, 'text')",
          "INSERT INTO meta VALUES (2, 0, 0, 0)",
          "INSERT INTO attempts VALUES (1, x'00', 0, 0, 1, 0, '', NULL)",
          "INSERT INTO rejects VALUES (1, 'yesterday', 0, '', x'')",
        ] {
          let error = #expect(throws: DatabaseError.self) { try database.execute(sql: sql) }
          #expect(error?.resultCode == .SQLITE_CONSTRAINT, "\(sql)")
        }
        for table in ["meta", "settings", "jobs", "bodies", "uploads", "attempts", "rejects"] {
          let strict = try Bool.fetchOne(
            database, sql: "SELECT strict FROM pragma_table_list WHERE name = ?",
            arguments: [table])
          #expect(strict == true, "\(table)")
        }
      }
    }
  }

  @Test(
    arguments: [
      ("batchesQueuedMax", { @Sendable in $0.batchesQueuedMax = 0 }),
      ("batchBytesMax", { @Sendable in $0.batchBytesMax = 0 }),
      ("readsQueuedMax", { @Sendable in $0.readsQueuedMax = 0 }),
      ("readTimeoutMs", { @Sendable in $0.readTimeoutMs = 0 }),
      ("listRowsMax", { @Sendable in $0.listRowsMax = 0 }),
      ("walCheckpointBytes", { @Sendable in $0.walCheckpointBytes = 0 }),
      ("walTruncateBytes", { @Sendable in $0.walTruncateBytes = 1 }),
      ("checkpointIntervalMs", { @Sendable in $0.checkpointIntervalMs = 0 }),
      ("rejectRowsMax", { @Sendable in $0.rejectRowsMax = 0 }),
      ("retention.sliceRows", { @Sendable in $0.retention.sliceRows = 0 }),
      ("retention.intervalMs", { @Sendable in $0.retention.intervalMs = 0 }),
      ("retention.ageTerminalMs", { @Sendable in $0.retention.ageTerminalMs = -1 }),
      ("path", { @Sendable in $0.path = "" }),
    ] as [(String, @Sendable (inout LedgerConfiguration) -> Void)])
  func limitThatMakesNoSenseIsNamed(
    name: String, spoil: @Sendable (inout LedgerConfiguration) -> Void
  ) throws {
    var configuration = fixture.configuration
    spoil(&configuration)
    let error = #expect(throws: LedgerError.self) { try configuration.validate() }
    #expect(error?.code == .configuration)
    #expect(error?.message.hasPrefix(name) == true)
  }
}
