import GRDB
import RerankdProtocol
import Testing

@testable import Ledger

/// Scores that failed attempts leave, from the attempt to the job's end.
@Suite struct PartialScoresTests {
  private func scores(_ ledger: Ledger, _ sequence: UInt64) async -> LedgerReadResult {
    await ledger.read(.partialScores(.test(sequence)))
  }

  @Test func latestScoresAreReadAndGoWhenTheyAreDropped() async throws {
    try await LedgerFixture().withLedger { ledger, _ in
      await ledger.commit([.insertJob(.test(1), body: [1, 2, 3, 4])])
      #expect(await scores(ledger, 1) == .partialScores(nil))
      await ledger.commit([.putPartialScores(.test(1), attempt: 1, [1])])
      await ledger.commit([.putPartialScores(.test(1), attempt: 4, [4, 4])])
      #expect(await scores(ledger, 1) == .partialScores([4, 4]))
      #expect(await scores(ledger, 2) == .partialScores(nil))
      await ledger.commit([.dropPartialScores(.test(1))])
      #expect(await scores(ledger, 1) == .partialScores(nil))
    }
  }

  @Test func scoresOfOneTransactionFoldIntoTheLast() async throws {
    try await LedgerFixture().withLedger { ledger, _ in
      let result = await ledger.read(
        .partialScores(.test(1)),
        after: [
          .insertJob(.test(1), body: [1, 2, 3, 4]), .insertJob(.test(2), body: [1, 2, 3, 4]),
          .putPartialScores(.test(1), attempt: 1, [1]),
          .putPartialScores(.test(2), attempt: 1, [2]),
          .putPartialScores(.test(1), attempt: 2, [3]), .dropPartialScores(.test(2)),
        ])
      #expect(result == .partialScores([3]))
      #expect(await scores(ledger, 2) == .partialScores(nil))
    }
  }

  @Test func scoresOutliveTheProcess() async throws {
    let fixture = try LedgerFixture()
    let killed = try await fixture.withLedger { ledger, _ in
      await ledger.commit([
        .insertJob(.test(1), body: [1, 2, 3, 4]), .insertJob(.test(2), body: [1, 2, 3, 4]),
        .putPartialScores(.test(1), attempt: 7, [7, 8]),
      ])
      return try fixture.copy()
    }
    try await killed.withLedger { ledger, recovered in
      #expect(recovered.partialScores == [.test(1): 7])
      #expect(await scores(ledger, 1) == .partialScores([7, 8]))
    }
  }

  @Test func jobSaysWhetherItMayFallBack() async throws {
    let fixture = try LedgerFixture()
    try await fixture.withLedger { ledger, _ in
      var job = JobRecord.test(1)
      job.allowFallback = true
      await ledger.commit([
        .insertJob(job, body: [1, 2, 3, 4]), .insertJob(.test(2), body: [1, 2, 3, 4]),
      ])
    }
    try await fixture.withLedger { _, recovered in
      #expect(recovered.liveJobs.map(\.allowFallback) == [true, false])
    }
  }

  private func makeFirstVersion(_ fixture: LedgerFixture) throws {
    let queue = try DatabaseQueue(path: fixture.configuration.path)
    try LedgerSchema.migrator.migrate(queue, upTo: "v1")
    try queue.writeWithoutTransaction { database in
      try database.execute(
        sql: """
          INSERT INTO meta VALUES (1, \(LedgerFixture.shard), 3, 1);
          INSERT INTO jobs VALUES (1, 2, \(LedgerFixture.now + 60_000), 0, 0, 0, 0, NULL, 0,
            \(LedgerFixture.now), 0, NULL, 0, 0, 0, 'reranker', 'default', 0, NULL, NULL, NULL, NULL,
            NULL, 5, \(LedgerFixture.now), 60000, 4, 0);
          INSERT INTO bodies VALUES (32768, x'01020304');
          """)
    }
    try queue.close()
  }

  @Test func ledgerOfTheFirstVersionIsMigrated() async throws {
    let fixture = try LedgerFixture()
    try makeFirstVersion(fixture)
    try await fixture.withLedger { ledger, recovered in
      #expect(recovered.epoch == 4 && recovered.liveJobs.map(\.id) == [.test(1)])
      #expect(recovered.liveJobs.map(\.allowFallback) == [false])
      let job = try await ledger.job(1)
      #expect(job?.request == [1, 2, 3, 4])
      await ledger.commit([.putPartialScores(.test(1), attempt: 1, [5])])
      #expect(await scores(ledger, 1) == .partialScores([5]))
    }
  }
}
