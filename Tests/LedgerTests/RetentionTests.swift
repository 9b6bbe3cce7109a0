import GRDB
import RerankdProtocol
import TestSupport
import Testing

@testable import Ledger

/// Time passes by opening the ledger anew at a later wall clock.
@Suite(.timeLimit(.minutes(1)))
struct RetentionTests {
  static let day: Int64 = 24 * 3_600_000
  let fixture: LedgerFixture

  init() throws {
    fixture = try LedgerFixture()
  }

  /// Returns once the job is gone, and with it all that older jobs could lose.
  private func waitForRemoval(of sequence: UInt64, _ ledger: Ledger) async throws {
    try await eventually("removal of \(sequence)", { try await ledger.job(sequence) == nil })
  }

  @Test func endedJobsGoWithEverythingTheyHadWhenTheyAreTooOld() async throws {
    try await fixture.withLedger { ledger, _ in
      for sequence in 1...3 as ClosedRange<UInt64> {
        await ledger.commit(Life.whole(sequence))
      }
      try await #expect(ledger.job(1) != nil)
    }
    try await fixture.withLedger(wallMs: LedgerFixture.now + 7 * Self.day) { ledger, _ in
      try await waitForRemoval(of: 3, ledger)
    }
    try fixture.withWriter { writer in
      let rows = try writer.queue.read {
        try Int.fetchOne(
          $0,
          sql: """
            SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM bodies)
              + (SELECT count(*) FROM attempts)
            """)
      }
      #expect(rows == 0)
    }
  }

  @Test func jobsYoungerThanTheAgeStay() async throws {
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(1))
      await ledger.commit(
        Life.submitted(2) + Life.leased(2)
          + Life.succeeded(2, updatedMs: LedgerFixture.now + Self.day) + Life.acknowledged(2))
      await ledger.commit(Life.whole(3))
    }
    try await fixture.withLedger(wallMs: LedgerFixture.now + 7 * Self.day) { ledger, _ in
      try await waitForRemoval(of: 3, ledger)
      try await #expect(ledger.job(1) == nil)
      try await #expect(ledger.job(2) != nil)
    }
  }

  @Test func liveJobsAreNeverRemoved() async throws {
    var fixture = fixture
    fixture.configuration.retention.countTerminalMax = 0
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1))
      await ledger.commit(Life.submitted(2) + Life.leased(2))
    }
    try await fixture.withLedger(wallMs: LedgerFixture.now + 1_000 * Self.day) { ledger, _ in
      await ledger.commit(Life.whole(3))
      try await waitForRemoval(of: 3, ledger)
      try await #expect(ledger.job(1) != nil)
      try await #expect(ledger.job(2) != nil)
    }
  }

  @Test(arguments: [DeliveryState.pending, .parked])
  func undeliveredOutcomesAreKeptForTheirOwnAge(state: DeliveryState) async throws {
    var fixture = fixture
    fixture.configuration.retention.ageTerminalMs = Self.day
    fixture.configuration.retention.undeliveredAgeMinMs = 3 * Self.day
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1) + Life.leased(1) + Life.succeeded(1))
      await ledger.commit([.putDelivery(.test(1, state))])
      await ledger.commit(Life.whole(2))
    }
    try await fixture.withLedger(wallMs: LedgerFixture.now + 2 * Self.day) { ledger, _ in
      try await waitForRemoval(of: 2, ledger)
      try await #expect(ledger.job(1) != nil)
    }
    try await fixture.withLedger(wallMs: LedgerFixture.now + 3 * Self.day) { ledger, _ in
      try await waitForRemoval(of: 1, ledger)
    }
  }

  @Test func keysLiveTheirAgeWhateverTheCountSays() async throws {
    var fixture = fixture
    fixture.configuration.retention.countTerminalMax = 0
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(
        Life.submitted(1, key: "k") + Life.leased(1) + Life.succeeded(1) + Life.acknowledged(1))
      await ledger.commit(Life.whole(2))
      try await waitForRemoval(of: 2, ledger)
      guard case .key(let found?) = await ledger.read(.key(tenant: "default", key: "k")) else {
        Issue.record("the key is gone")
        return
      }
      #expect(found.state == .succeeded)
    }
    try await fixture.withLedger(wallMs: LedgerFixture.now + Self.day) { ledger, _ in
      try await waitForRemoval(of: 1, ledger)
      #expect(await ledger.read(.key(tenant: "default", key: "k")) == .key(nil))
      // The key is free again.
      await ledger.commit(Life.submitted(3, key: "k"))
    }
  }

  @Test func countKeepsTheNewestAndHoldsWhileJobsStream() async throws {
    var fixture = fixture
    fixture.configuration.retention.countTerminalMax = 50
    fixture.configuration.retention.sliceRows = 7
    // No new sweep: the one that runs must keep up by itself.
    fixture.configuration.retention.intervalMs = 3_600_000
    try await fixture.withLedger { ledger, _ in
      for sequence in 1...400 as ClosedRange<UInt64> {
        await ledger.commit(Life.whole(sequence))
      }
      try await waitForRemoval(of: 350, ledger)
      try await #expect(sequences(ledger) == Array(351...400))
    }
    // What is counted is what the file holds, also after a restart.
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.whole(401))
      try await waitForRemoval(of: 351, ledger)
      try await #expect(ledger.job(352) != nil)
    }
  }

  @Test func numberTakesFromTenantsWithMoreThanTheirPartAlone() async throws {
    var fixture = fixture
    fixture.configuration.retention.countTerminalMax = 50
    try await fixture.withLedger { ledger, _ in
      await live(1...20, of: "few", ledger)
      await live(21...300, of: "many", ledger)
      try await waitForRemoval(of: 270, ledger)
      try await #expect(sequences(ledger) == Array(1...20) + Array(271...300))
    }
  }

  @Test func sizeTakesTheOldestToo() async throws {
    var fixture = fixture
    // Ten bodies of four bytes.
    fixture.configuration.retention.bytesMax = 40
    try await fixture.withLedger { ledger, _ in
      await live(1...4, of: "small", ledger)
      await live(5...60, of: "large", ledger)
      try await waitForRemoval(of: 54, ledger)
      try await #expect(sequences(ledger) == Array(1...4) + Array(55...60))
    }
  }

  /// Each of them whole, one after another.
  private func live(
    _ sequences: ClosedRange<UInt64>, of tenant: String, _ ledger: Ledger
  ) async {
    for sequence in sequences { await ledger.commit(Life.whole(sequence, tenant: tenant)) }
  }

  private func sequences(_ ledger: Ledger) async throws -> [UInt64] {
    let listed = await ledger.read(.list(JobFilter(limit: 1_000)))
    guard case .list(let jobs) = listed else { throw UnexpectedResult(result: listed) }
    return jobs.map(\.record.id.sequence).reversed()
  }

  @Test func lateWritesForARemovedJobAreDroppedAndCounted() async throws {
    var fixture = fixture
    fixture.configuration.retention.countTerminalMax = 0
    try await fixture.withLedger { ledger, _ in
      await ledger.commit(Life.submitted(1) + [.updateJob(.test(1), .test(.dead))])
      try await waitForRemoval(of: 1, ledger)
      await ledger.commit([.putDelivery(.test(1, .acknowledged))])
      await ledger.commit([
        .updateJob(.test(1), .test(.ready)), .insertAttempt(.test(1, 1, .failed)),
      ])
      #expect(ledger.status().writesToRemovedJobs == 3)
      try await #expect(ledger.job(1) == nil)
    }
  }
}
