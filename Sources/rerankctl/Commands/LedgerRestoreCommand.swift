import ArgumentParser
import Foundation
import Ledger

struct LedgerRestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Makes a ledger of a backup, while its queue does not run.",
    discussion: """
      systemctl stop rerankd-queue
      rerankctl ledger restore rerankd-0-20261125T040000Z.sqlite --to /var/lib/rerankd/ledger.sqlite
      systemctl start rerankd-queue

      The backup is checked first. A ledger that is there stays under another name, with --replace.
      Jobs that were submitted after the backup are not in it; their ids are never given out again.
      Refused while a queue has the ledger.
      """)

  @Argument(help: "The backup.", completion: .file(extensions: ["sqlite"]))
  var backup: String

  @Option(help: "Where the queue looks for its ledger.", completion: .file(extensions: ["sqlite"]))
  var to: String

  @Flag(help: "Put a ledger that is there aside.")
  var replace = false

  @OptionGroup var display: OutputOptions

  /// What came of it, as it is printed.
  private struct View: Encodable {
    var path: String
    var keptAside: String?
    var jobs: UInt64
  }

  func run() async throws {
    try await CommandFailure.reporting {
      let restored = try Ledger.restore(
        from: backup, to: to, replacing: replace,
        wallMs: Int64(Date().timeIntervalSince1970 * 1_000))
      let view = View(
        path: restored.path, keptAside: restored.keptAside, jobs: restored.jobs)
      try display.printer.object(view) {
        let aside = view.keptAside.map { "what was there is now \($0)\n" } ?? ""
        return "\(view.path) has \(Quantity.count(view.jobs, "job")) of the backup\n\(aside)"
          + "start the queue: its workers and clients find it by themselves\n"
      }
    }
  }
}

/// Ledgers at rest, read on this machine.
enum OfflineLedger {
  static func check(_ path: String) throws -> LedgerCheckView {
    let report = try Ledger.check(file: path)
    return LedgerCheckView(
      problems: report.problems, jobs: report.jobs, durationMs: report.durationMs)
  }

  static func statistics(_ path: String) throws -> LedgerStatisticsView {
    LedgerStatisticsView(try Ledger.statistics(ofFile: path))
  }
}
