import ArgumentParser
import RerankdClient
import RerankdProtocol

struct LedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Checks, backs up, restores and measures the queue's ledger.",
    discussion: """
      rerankctl ledger backup                   the queue writes one into its backup folder
      rerankctl ledger check                    the running queue checks its own
      rerankctl ledger check --file backup.sqlite
      rerankctl ledger restore backup.sqlite --to /var/lib/rerankd/ledger.sqlite

      While a queue runs nothing else may open its ledger: check, backup and stats ask the queue.
      --file is for backups, and for the ledger of a queue that does not run.
      """,
    subcommands: [Check.self, Backup.self, LedgerRestoreCommand.self, Stats.self])

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks a ledger: SQLite's integrity check and the ledger's own invariants.",
      discussion: """
        rerankctl ledger check
        rerankctl ledger check --file /backups/rerankd-0-20261125T040000Z.sqlite

        Exit code 1 when something is wrong.
        """)

    @OptionGroup var file: LedgerFileOption

    @Option(help: "How long the check may take: it reads the whole file.")
    var within = TimeArgument(.seconds(3_600))

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      if let path = file.file {
        return try await CommandFailure.reporting { try show(OfflineLedger.check(path)) }
      }
      try await connection.withQueues { queues in
        let report = try await queues.only.client.checkLedger(timeout: within.duration)
        try show(
          LedgerCheckView(
            problems: report.problems, jobs: report.jobs, durationMs: report.durationMs))
      }
    }

    private func show(_ view: LedgerCheckView) throws {
      try connection.printer.object(view) { view.text(palette: connection.printer.palette) }
      if !view.sound { throw CommandFailure.unsuccessful }
    }
  }

  struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Has the queue write a snapshot of its ledger into its backup folder.",
      discussion: """
        rerankctl ledger backup
        rerankctl ledger backup --name before-upgrade.sqlite
        rerankctl ledger backup -o json | jq -r .path

        The queue goes on meanwhile. An existing file is never replaced. The folder and how many
        backups are kept are in the queue's configuration, which can also make them by schedule.
        """)

    @Option(help: "A file name without a folder; else one with shard and time in it.")
    var name: String?

    @Option(help: "How long it may take: about as long as copying the file.")
    var within = TimeArgument(.seconds(3_600))

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        let (name, timeout) = (name, within.duration)
        let answers = try await queues.ask { queue throws(CallError) in
          try await queue.backUpLedger(name: name, timeout: timeout)
        }
        let views = answers.values.map { BackupView($0.value) }
        if queues.all.count == 1 {
          try connection.printer.object(views[0]) { views[0].text }
        } else {
          try connection.printer.list(views) {
            var table = TextTable([("JOBS", .right), ("SIZE", .right), ("PATH", .left)])
            for view in views {
              table.append([Quantity.count(view.jobs), Quantity.bytes(view.bytes), view.path])
            }
            return table
          }
        }
        try QueueFailure.report(answers.failures)
      }
    }
  }

  struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says what fills a ledger: rows and bytes of each table, jobs by state.",
      discussion: """
        rerankctl ledger stats
        rerankctl ledger stats --file backup.sqlite -o json
        """)

    @OptionGroup var file: LedgerFileOption

    @Option(help: "How long it may take: it reads the whole file.")
    var within = TimeArgument(.seconds(600))

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      if let path = file.file {
        return try await CommandFailure.reporting { try show(OfflineLedger.statistics(path)) }
      }
      try await connection.withQueues { queues in
        let statistics = try await queues.only.client.ledgerStatistics(timeout: within.duration)
        try show(LedgerStatisticsView(statistics))
      }
    }

    private func show(_ view: LedgerStatisticsView) throws {
      try connection.printer.object(view) {
        view.text(widthMax: Printer.terminalWidth, palette: connection.printer.palette)
      }
    }
  }
}

/// A ledger at rest instead of the queue's.
struct LedgerFileOption: ParsableArguments {
  @Option(
    help: "A backup, or the ledger of a queue that does not run, instead of asking a queue.",
    completion: .file(extensions: ["sqlite"]))
  var file: String?
}
