import Foundation
import GRDB
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

@testable import Ledger

@Suite struct BackupTests {
  private let fixture: LedgerFixture
  private let backups: String

  init() throws {
    var fixture = try LedgerFixture()
    backups = fixture.folder.path("backups")
    fixture.configuration.backup.folder = backups
    self.fixture = fixture
  }

  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: backups).sorted()
  }

  @Test func backupHoldsEveryJobThatWasDurableBeforeItBegan() async throws {
    try await fixture.withLedger { ledger, _ in
      for sequence in UInt64(1)...200 { await ledger.commit(Life.submitted(sequence)) }
      let committed = Atomic<UInt64>(200)
      let ends = Atomic(false)
      async let traffic: Void = {
        var sequence: UInt64 = 201
        while !ends.load(ordering: .relaxed) {
          await ledger.commit(Life.whole(sequence))
          committed.store(sequence, ordering: .relaxed)
          sequence += 1
        }
      }()
      try await eventually("commits go on") { committed.load(ordering: .relaxed) > 220 }
      let before = committed.load(ordering: .relaxed)
      let backup = try await ledger.backUp()
      let after = committed.load(ordering: .relaxed)
      ends.store(true, ordering: .relaxed)
      await traffic
      #expect(backup.jobs >= before && backup.jobs <= after + 1)
      let report = try Ledger.check(file: backup.path)
      #expect(report.problems == [] && report.jobs == backup.jobs)
      #expect(backup.bytes > 0 && LedgerFile.size(backup.path) == backup.bytes)
    }
  }

  @Test func backupIsOneFileForItsOwnerAlone() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      let backup = try await ledger.backUp(name: "before-upgrade.db")
      #expect(backup.path == backups + "/before-upgrade.db")
      var status = stat()
      #expect(stat(backup.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      // Reading it makes no file beside it, for it needs no write-ahead log.
      _ = try Ledger.statistics(ofFile: backup.path)
      try #expect(names() == ["before-upgrade.db"])
    }
  }

  @Test func backupNeverReplacesAFile() async throws {
    try await fixture.withLedger { ledger, _ in
      _ = try await ledger.backUp(name: "once")
      let content = try Data(contentsOf: URL(filePath: backups + "/once"))
      await ledger.commit(Life.whole(1))
      await #expect { _ = try await ledger.backUp(name: "once") } throws: {
        ($0 as? LedgerError)?.code == .exists
      }
      try #expect(Data(contentsOf: URL(filePath: backups + "/once")) == content)
      try #expect(names() == ["once"])
    }
  }

  @Test(arguments: ["../x", "a/b", "", ".hidden", "-rf", "x.part", "a\u{0}b", "ä", " "])
  func nameOfABackupIsAPlainFileName(_ name: String) {
    let folder = BackupFolder(path: "/b", shard: 3)
    #expect { _ = try folder.file(named: name) } throws: { ($0 as? LedgerError)?.code == .name }
    #expect { _ = try folder.file(named: String(repeating: "a", count: 129)) } throws: { _ in true }
  }

  @Test func namesOfTheQueueSortByTimeAndAreKnownAgain() throws {
    let folder = BackupFolder(path: "/b", shard: 3)
    #expect(folder.file(atMs: 1_790_000_000_000) == "/b/rerankd-3-20260921T141320Z.sqlite")
    #expect(folder.isOwn("rerankd-3-20260921T141320Z.sqlite"))
    for name in [
      "rerankd-4-20260921T141320Z.sqlite", "rerankd-3-20260921.sqlite", "mine.sqlite",
      "rerankd-3-20260921T141320Z.sqlite.old", "rerankd-3-2026092xT131320Z.sqlite",
    ] {
      #expect(!folder.isOwn(name), "\(name)")
    }
  }

  @Test func newestOfTheQueuesOwnBackupsStayAndNothingElseIsTouched() async throws {
    try FileManager.default.createDirectory(atPath: backups, withIntermediateDirectories: true)
    let old = [
      "rerankd-3-20200101T000000Z.sqlite", "rerankd-3-20210101T000000Z.sqlite",
      "rerankd-3-20220101T000000Z.sqlite", "rerankd-3-20190101T000000Z.sqlite.part",
    ]
    let others = ["mine.sqlite", "rerankd-9-20200101T000000Z.sqlite", "notes.part"]
    for name in old + others { try Data().write(to: URL(filePath: backups + "/" + name)) }
    try await fixture.withLedger { ledger, _ in
      let backup = try await ledger.backUp(keeping: 2)
      let newest = URL(filePath: backup.path).lastPathComponent
      try #expect(names() == (others + [old[2], newest]).sorted())
    }
  }

  @Test func backupIsGivenUpWhenTheLogGrowsBeyondItsCeiling() async throws {
    let (ledger, _) = try fixture.open()
    defer { ledger.close() }
    await ledger.commit(Life.whole(1))
    // Behind a log that is too large already, as it would be after so many commits.
    let read = try LongRead(path: fixture.configuration.path, walBytesMax: 1)
    defer { read.close() }
    #expect { _ = try BackupFile.write(read, to: fixture.folder.path("b")) } throws: { error in
      let error = error as? LedgerError
      return error?.code == .ceiling && error?.message.contains("wal_max") == true
    }
    #expect(access(fixture.folder.path("b"), F_OK) != 0)
    #expect(access(fixture.folder.path("b.part"), F_OK) != 0)
    await ledger.commit(Life.whole(2))
  }

  @Test func failedBackupHarmsNothing() async throws {
    var fixture = fixture
    fixture.configuration.backup.folder = fixture.folder.path("no/such/folder")
    try await fixture.withLedger { ledger, _ in
      await #expect { _ = try await ledger.backUp() } throws: {
        ($0 as? LedgerError)?.code == .permissions
      }
      await ledger.commit(Life.whole(1))
      try await #expect(ledger.job(1) != nil)
    }
    fixture.configuration.backup.folder = nil
    try await fixture.withLedger { ledger, _ in
      await #expect { _ = try await ledger.backUp() } throws: {
        ($0 as? LedgerError)?.code == .configuration
      }
      await ledger.commit(Life.whole(2))
    }
  }

  @Test func closedLedgerTakesNoTasks() throws {
    let (ledger, _) = try fixture.open()
    ledger.close()
    let codes = Mutex<[LedgerError.Code]>([])
    ledger.perform(.check) { result in
      if case .failed(.check, let error) = result { codes.withLock { $0.append(error.code) } }
    }
    #expect(codes.withLock { $0 } == [.stopped])
  }

  @Test func secondBackupIsRefusedWhileOneRuns() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      let results = Mutex<[LedgerTaskResult]>([])
      for name in ["a", "b", "c", "d"] {
        ledger.perform(.backUp(name: name, keeping: nil)) { result in
          results.withLock { $0.append(result) }
        }
      }
      try await eventually("all have ended") { results.withLock { $0.count } == 4 }
      let codes = results.withLock { $0 }.compactMap { result in
        if case .failed(_, let error) = result { error.code } else { nil }
      }
      #expect(codes.count <= 3 && codes.allSatisfy { $0 == .busy })
      try #expect(names().count == 4 - codes.count)
    }
  }

  @Test func longSnapshotKeepsCheckpointsFromWaiting() async throws {
    var fixture = fixture
    fixture.configuration.walCheckpointBytes = 64 << 10
    fixture.configuration.walTruncateBytes = 64 << 10
    let (ledger, _) = try fixture.open()
    defer { ledger.close() }
    await ledger.commit(Life.whole(1))
    let snapshots = ledger.longSnapshots
    let read = try LongRead(path: fixture.configuration.path, snapshots: snapshots)
    defer { read.close() }
    try read.snapshot(doing: "testing") { database in
      _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs")
      let done = DispatchSemaphore(value: 0)
      let start = DispatchTime.now().uptimeNanoseconds
      for sequence in UInt64(2)...40 {
        let body = [UInt8](repeating: 1, count: 16 << 10)
        ledger.commit(
          LedgerBatch(writes: Life.submitted(sequence, body: body)), onDurable: { done.signal() },
          onRead: { _, _ in })
        done.wait()
      }
      // Every one of these checkpoints would have waited two seconds for this snapshot.
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
      #expect(seconds < 4)
      #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs") == 1)
    }
  }

  @Test func configurationOfBackupsIsChecked() {
    var configuration = fixture.configuration
    configuration.backup.folder = nil
    configuration.backup.intervalMs = 1_000
    #expect { try configuration.validate() } throws: { "\($0)".contains("backup.folder") }
    configuration.backup.folder = "b"
    configuration.backup.keep = 0
    #expect { try configuration.validate() } throws: { "\($0)".contains("backup.keep") }
    configuration.backup.keep = 1
    configuration.backup.walBytesMax = configuration.walTruncateBytes - 1
    #expect { try configuration.validate() } throws: { "\($0)".contains("walBytesMax") }
    configuration.backup.walBytesMax = configuration.walTruncateBytes
    #expect(throws: Never.self) { try configuration.validate() }
  }
}

extension Ledger {
  func backUp(name: String? = nil, keeping: Int? = nil) async throws -> LedgerBackup {
    let result = await withCheckedContinuation { continuation in
      perform(.backUp(name: name, keeping: keeping)) { continuation.resume(returning: $0) }
    }
    switch result {
    case .backedUp(let backup): return backup
    case .failed(_, let error): throw error
    default: throw UnexpectedTaskResult(result: result)
    }
  }

  func check() async throws -> LedgerCheckReport {
    let result = await withCheckedContinuation { continuation in
      perform(.check) { continuation.resume(returning: $0) }
    }
    guard case .checked(let report) = result else { throw UnexpectedTaskResult(result: result) }
    return report
  }
}

struct UnexpectedTaskResult: Error {
  var result: LedgerTaskResult
}
