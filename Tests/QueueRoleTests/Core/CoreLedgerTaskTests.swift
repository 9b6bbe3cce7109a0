import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import Ledger
@testable import QueueRole

@Suite struct CoreLedgerTaskTests {
  private static let hourMs: Int64 = 3_600_000
  private let made = LedgerBackup(path: "/b/x", bytes: 70, durationMs: 8, jobs: 3)

  private func tasks(_ effects: [QueueEffect]) -> [(ticket: ReadTicket, task: LedgerTask)] {
    effects.compactMap { effect in
      if case .perform(let ticket, let task) = effect { (ticket, task) } else { nil }
    }
  }

  private func scheduled() -> CoreHarness {
    CoreHarness {
      $0.ledger.backup.folder = "/b"
      $0.ledger.backup.intervalMs = Self.hourMs
      $0.ledger.backup.keep = 7
    }
  }

  @Test func backupIsAnsweredAtItsEndAndShownInStatus() throws {
    let queue = CoreHarness()
    let call = queue.call()
    let begun = queue.send(.ledgerTask(call, .backUp(name: "n", keeping: nil)))
    let task = try #require(tasks(begun).first)
    #expect(task.task == .backUp(name: "n", keeping: nil))
    #expect(try queue.status().ledger.backupUnixMs == 0)
    queue.pass(ms: 5)
    let effects = queue.send(.performed(task.ticket, .backedUp(made)))
    let answer = try effects.answer(to: call, BackUpLedgerResponse.self)
    #expect(answer.path == "/b/x" && answer.bytes == 70 && answer.jobs == 3)
    #expect(answer.durationMs == 8)
    queue.send(.gauges(LedgerStatus.with { $0.commits = 4 }, ShellCounters()))
    let status = try queue.status().ledger
    #expect(status.backupUnixMs == queue.wallMs && status.backupBytes == 70)
    #expect(status.backupMs == 8 && status.backupError.isEmpty && status.commits == 4)
    // Its end comes once.
    #expect(queue.send(.performed(task.ticket, .backedUp(made))).isEmpty)
  }

  @Test func failedBackupIsAnErrorAndStaysInStatusUntilOneSucceeds() throws {
    let queue = CoreHarness()
    let call = queue.call()
    let begun = queue.send(.ledgerTask(call, .backUp(name: nil, keeping: nil)))
    let error = LedgerError(.full, "no room")
    let ticket = try #require(tasks(begun).first).ticket
    let effects = queue.send(.performed(ticket, .failed(.backUp, error)))
    #expect(effects.failure(of: call)?.code == .resourceExhausted)
    #expect(try queue.status().ledger.backupError == "no room")
    let again = tasks(queue.send(.ledgerTask(queue.call(), .backUp(name: nil, keeping: nil))))
    queue.send(.performed(try #require(again.first).ticket, .backedUp(made)))
    #expect(try queue.status().ledger.backupError.isEmpty)
  }

  @Test(arguments: [
    (LedgerError.Code.busy, StatusCode.failedPrecondition), (.name, .invalidArgument),
    (.exists, .alreadyExists), (.configuration, .failedPrecondition),
    (.ceiling, .resourceExhausted), (.stopped, .unavailable), (.corrupt, .dataLoss),
    (.permissions, .internal),
  ])
  func errorsOfTasksKeepTheirMeaning(_ code: LedgerError.Code, _ status: StatusCode) {
    let error = CallError(LedgerError(code, "why"))
    #expect(error.code == status && error.message == "why")
    #expect(error.details.reason == "LEDGER_" + code.rawValue.uppercased())
  }

  @Test func secondBackupBesideOneIsNoFailureOfTheFirst() throws {
    let queue = CoreHarness()
    let call = queue.call()
    let begun = tasks(queue.send(.ledgerTask(call, .backUp(name: nil, keeping: nil))))
    let busy = LedgerTaskResult.failed(.backUp, LedgerError(.busy, "under way"))
    let effects = queue.send(.performed(try #require(begun.first).ticket, busy))
    #expect(effects.failure(of: call)?.code == .failedPrecondition)
    #expect(try queue.status().ledger.backupError.isEmpty)
  }

  @Test func backupsAreMadeByTheClock() throws {
    let queue = scheduled()
    let first = tasks(queue.pass(ms: 0))
    #expect(first.map(\.task) == [.backUp(name: nil, keeping: 7)])
    #expect(tasks(queue.pass(ms: Self.hourMs)).isEmpty, "one is under way")
    queue.send(.performed(try #require(first.first).ticket, .backedUp(made)))
    #expect(tasks(queue.pass(ms: Self.hourMs - 1)).isEmpty)
    #expect(tasks(queue.pass(ms: 1)).count == 1)
    #expect(tasks(CoreHarness().pass(ms: 100 * Self.hourMs)).isEmpty, "off unless configured")
  }

  @Test func scheduledBackupThatFailedIsTriedAgainSooner() throws {
    let queue = scheduled()
    let first = try #require(tasks(queue.pass(ms: 0)).first)
    queue.send(.performed(first.ticket, .failed(.backUp, LedgerError(.full, "no room"))))
    let retryMs = queue.configuration.ledger.backup.retryMs
    #expect(tasks(queue.pass(ms: retryMs - 1)).isEmpty)
    #expect(tasks(queue.pass(ms: 1)).count == 1)
  }

  @Test func restartKeepsTheRhythmOfBackups() throws {
    let queue = scheduled()
    let first = try #require(tasks(queue.pass(ms: 0)).first)
    queue.send(.performed(first.ticket, .backedUp(made)))
    queue.pass(ms: Self.hourMs / 2)
    queue.restart()
    #expect(tasks(queue.pass(ms: Self.hourMs / 2 - 1)).isEmpty)
    #expect(tasks(queue.pass(ms: 1)).count == 1)
    // After a longer time than the interval one is due at once.
    queue.stop(ms: 5 * Self.hourMs)
    queue.restart()
    #expect(tasks(queue.pass(ms: 0)).count == 1)
  }

  @Test func checkAndStatisticsAreAnswered() throws {
    let queue = CoreHarness()
    let check = queue.call()
    let statistics = queue.call()
    let checking = try #require(tasks(queue.send(.ledgerTask(check, .check))).first)
    let counting = try #require(tasks(queue.send(.ledgerTask(statistics, .statistics))).first)
    let report = LedgerCheckReport(problems: ["job 0-1: odd"], jobs: 9, durationMs: 2)
    let checked = try queue.send(.performed(checking.ticket, .checked(report)))
      .answer(to: check, CheckLedgerResponse.self)
    #expect(checked.problems == ["job 0-1: odd"] && checked.jobs == 9)
    let counts = LedgerStatistics(
      tables: [.init(name: "jobs", rows: 4, bytes: 8_192)],
      states: [.init(state: .dead, jobs: 4)], oldestSubmittedMs: 5, freePageBytes: 6,
      schemaVersion: 2)
    queue.send(.gauges(LedgerStatus.with { $0.fileBytes = 77 }, ShellCounters()))
    let counted = try queue.send(.performed(counting.ticket, .counted(counts)))
      .answer(to: statistics, LedgerStatisticsResponse.self)
    #expect(counted.tables.map(\.name) == ["jobs"] && counted.tables[0].rows == 4)
    #expect(counted.states.map(\.state) == [.dead] && counted.oldestSubmittedUnixMs == 5)
    #expect(counted.ledger.fileBytes == 77 && counted.schemaVersion == 2)
  }

  @Test func taskWhoseCallEndedIsNotAnswered() throws {
    let queue = CoreHarness()
    let call = queue.call()
    let task = try #require(tasks(queue.send(.ledgerTask(call, .check))).first)
    queue.send(.callEnded(call))
    let report = LedgerCheckReport(problems: [], jobs: 0, durationMs: 0)
    #expect(queue.send(.performed(task.ticket, .checked(report))).isEmpty)
    #expect(queue.core.reads.isEmpty && queue.core.calls.isEmpty)
  }
}
