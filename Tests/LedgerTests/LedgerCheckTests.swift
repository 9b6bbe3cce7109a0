import Foundation
import GRDB
import RerankdProtocol
import TestSupport
import Testing

@testable import Ledger

@Suite struct LedgerCheckTests {
  /// A ledger of some lives, on which SQL has been run behind the queue's back.
  private func problems(after sql: String) throws -> [String] {
    let fixture = try LedgerFixture()
    try fixture.withWriter { writer in
      var transaction = LedgerTransaction(shard: LedgerFixture.shard)
      let writes =
        Life.whole(1) + Life.submitted(2) + Life.leased(2) + Life.submitted(3)
        + [.putPartialScores(.test(3), attempt: 1, [1])]
      for write in writes { try transaction.add(write) }
      try writer.commit(transaction, nowMs: LedgerFixture.now)
      try writer.queue.writeWithoutTransaction { try $0.execute(sql: sql) }
    }
    return try Ledger.check(file: fixture.configuration.path).problems
  }

  @Test func soundLedgerHasNoProblems() throws {
    #expect(try problems(after: "SELECT 1") == [])
  }

  @Test(arguments: [
    ("DELETE FROM bodies WHERE id >> 15 = 3", "job 3-3: its body has 0 bytes in 0 rows"),
    ("UPDATE bodies SET chunk = x'00' WHERE id >> 15 = 1", "job 3-1: its body has 1 bytes"),
    ("DELETE FROM jobs WHERE id = 3", "job 3-3: a body is there, and no job"),
    ("DELETE FROM attempts", "job 3-1: it succeeded, and has no result"),
    ("UPDATE jobs SET worker_id = NULL WHERE id = 2", "job 3-2: it is leased, and to no worker"),
    ("UPDATE jobs SET worker_id = 'w' WHERE id = 1", "job 3-1: a worker has it"),
    ("UPDATE jobs SET attempts_spent = 9 WHERE id = 1", "job 3-1: it has spent more attempts"),
    ("UPDATE jobs SET delivery_state = 0 WHERE id = 1", "job 3-1: it has ended, and its outcome"),
    ("UPDATE jobs SET delivery_state = 1 WHERE id = 3", "job 3-3: it has not ended"),
    ("UPDATE jobs SET reply_channel = NULL WHERE id = 1", "job 3-1: its outcome is on its way"),
    (
      "INSERT INTO attempts VALUES (9 << 15 | 1, 'w', 0, 0, 2, 14, '', NULL)",
      "job 3-9: an attempt"
    ),
    ("INSERT INTO partial_scores VALUES (1 << 15 | 2, x'00')", "job 3-1: partial scores"),
    ("INSERT INTO uploads VALUES (3)", "job 3-3: it is there, and its body"),
    ("UPDATE tenants SET jobs = 7", "tenant \"default\" has 3 jobs with 12 bytes, and is said"),
    ("DELETE FROM tenants", "tenant \"default\" has 3 jobs with 12 bytes, and is said to have 0"),
    ("INSERT INTO tenants VALUES ('t', 1, 1)", "tenant \"t\" has 0 jobs"),
    ("DELETE FROM meta", "it is no ledger"),
  ])
  func contradictionIsFoundAndItsJobNamed(_ sql: String, _ problem: String) throws {
    let found = try problems(after: sql)
    #expect(found.contains { $0.hasPrefix(problem) }, "\(found)")
  }

  @Test func checkGoesOverEveryRowInSlices() async throws {
    var fixture = try LedgerFixture()
    fixture.configuration.checkSliceRows = 7
    try await fixture.withLedger { ledger, _ in
      for sequence in UInt64(1)...50 { await ledger.commit(Life.whole(sequence)) }
      let report = try await ledger.check()
      #expect(report.problems == [] && report.jobs == 50)
    }
  }

  @Test func problemsAreBounded() throws {
    let fixture = try LedgerFixture()
    try fixture.withWriter { writer in
      var transaction = LedgerTransaction(shard: LedgerFixture.shard)
      for sequence in UInt64(1)...150 {
        for write in Life.submitted(sequence) { try transaction.add(write) }
      }
      try writer.commit(transaction, nowMs: LedgerFixture.now)
      try writer.queue.writeWithoutTransaction { try $0.execute(sql: "DELETE FROM bodies") }
    }
    let report = try Ledger.check(file: fixture.configuration.path)
    #expect(report.problems.count == LedgerCheckReport.problemsMax)
  }

  @Test func damagedFileIsFoundOut() throws {
    let fixture = try LedgerFixture()
    try fixture.withWriter { writer in
      var transaction = LedgerTransaction(shard: LedgerFixture.shard)
      for sequence in UInt64(1)...300 {
        for write in Life.whole(sequence) { try transaction.add(write) }
      }
      try writer.commit(transaction, nowMs: LedgerFixture.now)
    }
    let file = try FileHandle(forUpdating: URL(filePath: fixture.configuration.path))
    let bytes = try file.seekToEnd()
    for page in 6..<(bytes / 4_096) {
      try file.seek(toOffset: page * 4_096)
      try file.write(contentsOf: Data(repeating: 0xA5, count: 64))
    }
    try file.close()
    let found = try? Ledger.check(file: fixture.configuration.path).problems
    #expect(found != [])
  }

  @Test func ledgerOfARunningQueueIsLeftAlone() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      #expect { _ = try Ledger.check(file: fixture.configuration.path) } throws: {
        ($0 as? LedgerError)?.code == .locked
      }
      #expect { _ = try Ledger.statistics(ofFile: fixture.configuration.path) } throws: {
        ($0 as? LedgerError)?.code == .locked
      }
    }
    #expect(try Ledger.check(file: fixture.configuration.path).jobs == 1)
    #expect { _ = try Ledger.check(file: fixture.folder.path("none")) } throws: {
      ($0 as? LedgerError)?.message.contains("cannot be read") == true
    }
  }

  @Test func statisticsCountRowsBytesAndStates() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1) + Life.submitted(2) + Life.submitted(3))
    }
    let statistics = try Ledger.statistics(ofFile: fixture.configuration.path)
    let rows = Dictionary(uniqueKeysWithValues: statistics.tables.map { ($0.name, $0.rows) })
    #expect(rows["jobs"] == 3 && rows["bodies"] == 3 && rows["attempts"] == 1 && rows["meta"] == 1)
    #expect(statistics.tables.allSatisfy { $0.bytes >= 4_096 })
    #expect(statistics.tables.map(\.bytes) == statistics.tables.map(\.bytes).sorted(by: >))
    #expect(
      statistics.states == [.init(state: .ready, jobs: 2), .init(state: .succeeded, jobs: 1)])
    #expect(statistics.oldestSubmittedMs == LedgerFixture.now && statistics.schemaVersion == 3)
    let pages = statistics.tables.reduce(0) { $0 + $1.bytes }
    #expect(statistics.fileBytes > 0 && pages <= statistics.fileBytes)
  }
}
