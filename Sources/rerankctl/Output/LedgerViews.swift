import Ledger
import RerankdProtocol

/// A backup that was written, as it is printed.
struct BackupView: Encodable {
  /// On the queue's machine.
  var path: String
  var bytes: UInt64
  var durationMs: UInt64
  var jobs: UInt64

  init(_ backup: BackUpLedgerResponse) {
    path = backup.path
    bytes = backup.bytes
    durationMs = backup.durationMs
    jobs = backup.jobs
  }

  var text: String {
    "\(path)\n\(Quantity.count(jobs, "job")), \(Quantity.bytes(bytes)), in "
      + "\(Quantity.time(microseconds: durationMs * 1_000))\n"
  }
}

/// What a check of a ledger found, as it is printed.
struct LedgerCheckView: Encodable {
  var sound: Bool
  var problems: [String]
  var jobs: UInt64
  var durationMs: UInt64

  init(problems: [String], jobs: UInt64, durationMs: UInt64) {
    sound = problems.isEmpty
    self.problems = problems
    self.jobs = jobs
    self.durationMs = durationMs
  }

  func text(palette: Palette) -> String {
    let verdict =
      sound
      ? palette.paint("sound", .good)
      : palette.paint("\(Quantity.count(problems.count, "problem"))", .bad)
    return problems.map { palette.paint("- ", .bad) + $0.printable + "\n" }.joined()
      + "\(verdict): \(Quantity.count(jobs, "job")) looked at in "
      + "\(Quantity.time(microseconds: durationMs * 1_000))\n"
      + (sound ? "" : "restore the newest backup that is sound: rerankctl ledger restore --help\n")
  }
}

/// What a ledger's file is made of, as it is printed.
struct LedgerStatisticsView: Encodable {
  struct Table: Encodable {
    var name: String
    var rows: UInt64
    var bytes: UInt64
  }

  /// Of a running queue.
  var ledger: LedgerView?
  var tables: [Table]
  var states: [String: UInt64]
  var oldestSubmitted: String?
  var freePageBytes: UInt64
  var schemaVersion: UInt32

  init(_ statistics: LedgerStatisticsResponse) {
    ledger = LedgerView(statistics.ledger)
    tables = statistics.tables.map { Table(name: $0.name, rows: $0.rows, bytes: $0.bytes) }
    states = Dictionary(
      statistics.states.map { ($0.state.word, $0.jobs) }, uniquingKeysWith: { $0 + $1 })
    oldestSubmitted =
      statistics.oldestSubmittedUnixMs == 0
      ? nil : JobView.time(statistics.oldestSubmittedUnixMs)
    freePageBytes = statistics.freePageBytes
    schemaVersion = statistics.schemaVersion
  }

  /// Of a file that no queue has open.
  init(_ statistics: LedgerStatistics) {
    tables = statistics.tables.map { Table(name: $0.name, rows: $0.rows, bytes: $0.bytes) }
    states = Dictionary(
      statistics.states.map { ($0.state.word, $0.jobs) }, uniquingKeysWith: { $0 + $1 })
    oldestSubmitted = statistics.oldestSubmittedMs.map(JobView.time)
    freePageBytes = statistics.freePageBytes
    schemaVersion = UInt32(clamping: statistics.schemaVersion)
  }

  func text(widthMax: Int?, palette: Palette) -> String {
    var facts: [(String, String)] = []
    if let ledger {
      facts += [
        ("file", Quantity.bytes(ledger.fileBytes)), ("WAL", Quantity.bytes(ledger.walBytes)),
        ("free on the disk", Quantity.bytes(ledger.freeBytes)),
        (
          "commits",
          "\(Quantity.count(ledger.commits)), p50 \(Quantity.time(microseconds: ledger.commitP50Us)), "
            + "p99 \(Quantity.time(microseconds: ledger.commitP99Us))"
        ), ("last backup", ledger.backup?.ended ?? "none since the queue started"),
      ]
    }
    facts += [
      ("free in the file", Quantity.bytes(freePageBytes)), ("schema", "\(schemaVersion)"),
      ("oldest job", oldestSubmitted ?? "none"),
    ]
    let order = JobState.allCases.map(\.word)
    for word in order { if let jobs = states[word] { facts.append((word, Quantity.count(jobs))) } }
    var table = TextTable([("TABLE", .left), ("ROWS", .right), ("SIZE", .right)])
    for row in tables {
      table.append([row.name, Quantity.count(row.rows), Quantity.bytes(row.bytes)])
    }
    return FactSheet(facts).text(palette: palette) + "\n"
      + table.text(widthMax: widthMax, palette: palette)
  }
}
