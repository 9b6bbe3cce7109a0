import Ledger
import RerankdProtocol
import SwiftProtobuf

/// The latest backups, for status.
struct BackupRecord {
  /// Of the last that was written since the process started.
  var endedMs: Int64 = 0
  var durationMs: UInt64 = 0
  var bytes: UInt64 = 0
  /// Why the latest attempt failed; empty when it did not.
  var error = ""
}

/// Long work on the ledger, which it does beside its commits: for operators, and backups by the
/// clock.
extension QueueCore {
  /// Name of the ledger setting that holds when the last backup ended: a queue that is restarted
  /// often still makes them.
  static var backedUpSetting: String { "backed_up_ms" }

  /// - Parameter call: nil for a backup by the clock.
  func perform(_ task: LedgerTask, for call: CallRef?) {
    let ticket = ReadTicket(rawValue: nextTicket)
    nextTicket += 1
    reads[ticket] = .task(call)
    if let call { calls[call] = .read(ticket) }
    effects.append(.perform(ticket, task))
  }

  func take(_ ticket: ReadTicket, _ result: LedgerTaskResult) {
    guard case .task(let call)? = reads.removeValue(forKey: ticket) else { return }
    note(result, isScheduled: call == nil)
    guard let call, close(call, ticket) else { return }
    switch result {
    case .backedUp(let backup): effects.append(.answer(call, BackUpLedgerResponse(backup)))
    case .checked(let report): effects.append(.answer(call, CheckLedgerResponse(report)))
    case .counted(let statistics):
      var response = LedgerStatisticsResponse(statistics)
      response.ledger = ledgerWithBackup
      effects.append(.answer(call, response))
    case .failed(_, let error): effects.append(.fail(call, CallError(error)))
    }
  }

  private func note(_ result: LedgerTaskResult, isScheduled: Bool) {
    switch result {
    case .backedUp(let made):
      backup = BackupRecord(
        endedMs: wallMs, durationMs: made.durationMs, bytes: made.bytes)
      effects.append(.write(.putSetting(name: Self.backedUpSetting, value: "\(wallMs)")))
      if let intervalMs = configuration.ledger.backup.intervalMs {
        scheduleBackup(inMs: intervalMs)
      }
    // A second one beside another says nothing against that one.
    case .failed(.backUp, let error) where error.code != .busy:
      backup.error = error.message
      fallthrough
    case .failed(.backUp, _):
      if isScheduled, let intervalMs = configuration.ledger.backup.intervalMs {
        scheduleBackup(inMs: min(intervalMs, configuration.ledger.backup.retryMs))
      }
    case .checked, .counted, .failed: break
    }
  }

  /// - Parameter lastMs: when the last one ended, wall clock; nil: there was none.
  func startBackups(lastMs: Int64?) {
    guard let intervalMs = configuration.ledger.backup.intervalMs else { return }
    scheduleBackup(inMs: lastMs.map { min(max($0 + intervalMs - wallMs, 0), intervalMs) } ?? 0)
  }

  private func scheduleBackup(inMs delayMs: Int64) {
    let dueMs = nowMs + delayMs
    backupDueMs = dueMs
    setTimer(.backup, 0, dueMs: dueMs)
  }

  func backUpByTheClock() {
    backupDueMs = nil
    perform(.backUp(name: nil, keeping: configuration.ledger.backup.keep), for: nil)
  }

  /// As the shell last told it, and with what the core knows of backups.
  var ledgerWithBackup: LedgerStatus {
    var status = ledgerStatus
    status.backupUnixMs = backup.endedMs
    status.backupMs = backup.durationMs
    status.backupBytes = backup.bytes
    status.backupError = backup.error
    return status
  }
}

extension CallError {
  /// Of a task that an operator asked for.
  init(_ error: LedgerError) {
    let code: StatusCode =
      switch error.code {
      case .name: .invalidArgument
      case .exists: .alreadyExists
      case .busy, .configuration: .failedPrecondition
      case .full, .ceiling: .resourceExhausted
      case .stopped, .locked: .unavailable
      case .corrupt: .dataLoss
      case .permissions, .future, .shard, .invariant, .io: .internal
      }
    self.init(code, error.message, reason: "LEDGER_" + error.code.rawValue.uppercased())
  }
}

extension BackUpLedgerResponse {
  init(_ backup: LedgerBackup) {
    self = .with {
      $0.path = backup.path
      $0.bytes = backup.bytes
      $0.durationMs = backup.durationMs
      $0.jobs = backup.jobs
    }
  }
}

extension CheckLedgerResponse {
  init(_ report: LedgerCheckReport) {
    self = .with {
      $0.problems = report.problems
      $0.durationMs = report.durationMs
      $0.jobs = report.jobs
    }
  }
}

extension LedgerStatisticsResponse {
  init(_ statistics: LedgerStatistics) {
    self = .with {
      $0.tables = statistics.tables.map { table in
        LedgerTable.with {
          $0.name = table.name
          $0.rows = table.rows
          $0.bytes = table.bytes
        }
      }
      $0.states = statistics.states.map { count in
        JobStateCount.with {
          $0.state = count.state
          $0.jobs = count.jobs
        }
      }
      $0.oldestSubmittedUnixMs = statistics.oldestSubmittedMs ?? 0
      $0.freePageBytes = statistics.freePageBytes
      $0.schemaVersion = UInt32(clamping: statistics.schemaVersion)
    }
  }
}
