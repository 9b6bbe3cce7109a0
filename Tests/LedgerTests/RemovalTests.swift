import GRDB
import RerankdProtocol
import Testing

@testable import Ledger

@Suite struct RemovalTests {
  @Test func removedJobLeavesNothingBehind() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1) + Life.whole(2))
      await ledger.commit([.removeJob(.test(2))])
      try await #expect(ledger.job(2) == nil)
      try await #expect(ledger.job(1) != nil)
      let report = try await ledger.check()
      #expect(report.problems == [] && report.jobs == 1)
    }
    let statistics = try Ledger.statistics(ofFile: fixture.configuration.path)
    let rows = Dictionary(uniqueKeysWithValues: statistics.tables.map { ($0.name, $0.rows) })
    #expect(rows["bodies"] == 1 && rows["attempts"] == 1)
  }

  @Test func numberOfARemovedJobIsNotGivenOutAgain() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(7))
      await ledger.commit([.removeJob(.test(7))])
    }
    try await fixture.withLedger { _, recovered in #expect(recovered.nextSequence == 8) }
  }

  /// A delivery may be written by the batch that removes its job, or after it.
  @Test func lateWritesForARemovedJobAreDropped() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1) + Life.leased(1) + Life.succeeded(1))
      await ledger.commit([
        .putDelivery(.test(1, .parked, attempts: 1)), .removeJob(.test(1)), .removeJob(.test(1)),
      ])
      await ledger.commit([.putDelivery(.test(1, .acknowledged, attempts: 1))])
      try await #expect(ledger.job(1) == nil)
      #expect(ledger.status().writesToRemovedJobs == 1)
    }
  }

  @Test func liveJobIsNotRemoved() throws {
    let fixture = try LedgerFixture()
    try fixture.withWriter { writer in
      for writes in [Life.submitted(1), [.removeJob(.test(1))]] {
        var transaction = LedgerTransaction(shard: LedgerFixture.shard)
        for write in writes { try transaction.add(write) }
        let commit = transaction
        if commit.removed.isEmpty {
          try writer.commit(commit, nowMs: LedgerFixture.now)
        } else {
          #expect { try writer.commit(commit, nowMs: LedgerFixture.now) } throws: {
            ($0 as? LedgerError)?.code == .invariant
          }
        }
      }
    }
  }

  @Test func jobsAreListedByAgeAndError() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      func dead(_ sequence: UInt64, code: UInt32, _ message: String) -> LedgerWrite {
        var state = JobStateRecord.test(.dead)
        state.endCode = code
        state.endMessage = message
        let submittedMs = LedgerFixture.now + Int64(sequence)
        let record = JobRecord.test(sequence, submittedMs: submittedMs, state: state)
        return .insertJob(record, body: [1, 2, 3, 4])
      }
      await ledger.commit([
        dead(1, code: 14, "HTTP 503 of hub"), dead(2, code: 13, "Poison: 3 workers"),
        dead(3, code: 14, "no route"), .insertJob(.test(4), body: [1, 2, 3, 4]),
      ])
      func list(_ filter: JobFilter) async throws -> [UInt64] {
        let result = await ledger.read(.list(filter))
        guard case .list(let jobs) = result else { throw UnexpectedResult(result: result) }
        return jobs.map(\.record.id.sequence)
      }
      try await #expect(list(JobFilter(errorCodes: [14])) == [3, 1])
      try await #expect(list(JobFilter(errorCodes: [14, 13], errorContains: "pOISON")) == [2])
      try await #expect(list(JobFilter(errorContains: "%")) == [])
      try await #expect(list(JobFilter(submittedFromMs: LedgerFixture.now + 2)) == [3, 2])
      try await #expect(list(JobFilter(submittedToMs: LedgerFixture.now + 1)) == [4, 1])
      try await #expect(list(JobFilter(states: [.ready], errorCodes: [14])) == [])
    }
  }

  @Test func searchForErrorsUsesTheIndexOfUnsuccessfulJobs() throws {
    let fixture = try LedgerFixture()
    try fixture.withWriter { writer in
      let sql = LedgerReader.listSQL(JobFilter(errorCodes: [14], errorContains: "x"))
        .replacing("?1", with: "99").replacing("?4", with: "10").replacing("?7", with: "'x'")
      let plan = try writer.queue.read {
        try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN \(sql)").map { $0["detail"] as String }
      }
      #expect(plan.contains { $0.contains("jobs_unsuccessful") }, "\(plan)")
    }
  }
}
