import ArgumentParser
import RerankdClient
import RerankdProtocol

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Looks at jobs; retries, cancels, purges and exports them.",
    discussion: """
      rerankctl jobs list --state dead --newer-than 1h
      rerankctl jobs show 0-17
      rerankctl jobs retry --error-code UNAVAILABLE --dry-run
      rerankctl jobs cancel --tenant nightly --older-than 2h --dry-run
      rerankctl jobs export --state dead --file dead.jsonl
      """,
    subcommands: [
      List.self, Show.self, Retry.self, Cancel.self, Purge.self, JobsExportCommand.self,
    ], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists jobs, newest first.",
      discussion: """
        rerankctl jobs list --state dead --model builtin --limit 20
        rerankctl jobs list --error-contains "too long" --all -o jsonl
        rerankctl jobs list --older-than 1h --state ready --state leased
        """)

    @OptionGroup(title: "Filters") var filter: JobFilter

    @Option(help: "Only jobs before this one, for the next page.")
    var before: JobID?

    @Option(help: "At most so many.")
    var limit = 50

    @Flag(help: "All, page after page.")
    var all = false

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
      if limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() async throws {
      try await connection.withQueues { queues in
        let chosen = try before.map { [try queues.queue(of: $0)] } ?? queues.all
        var listing = JobListing(
          chosen, filter.request(), before: before, pageMax: all ? .max : limit)
        if all, connection.output != .json {
          try await printAll(&listing)
          return try QueueFailure.report(listing.failures)
        }
        let jobs = try await listing.next(all ? .max : limit)
        let views = jobs.map(JobView.init)
        try connection.printer.list(views) { JobView.table(views) }
        if !all, let last = jobs.last, connection.output == .table,
          try await listing.next() != nil
        {
          let next = JobID(rawValue: last.jobID)
          CommandFailure.say(
            queues.all.count > 1
              ? "there are more: --all, or a larger --limit" : "there are more: --before \(next)")
        }
        try QueueFailure.report(listing.failures)
      }
    }

    /// A page at a time, so that any number can be listed.
    private func printAll(_ listing: inout JobListing) async throws {
      var isFirst = true
      while true {
        let views = try await listing.next(JobListing.pageMax).map(JobView.init)
        guard !views.isEmpty || isFirst else { return }
        try connection.printer.list(views) { JobView.table(views) }
        isFirst = false
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints a job with its attempts and its outcome.",
      discussion: """
        rerankctl jobs show 0-17
        rerankctl jobs show 0-17 --request -o json | jq .request
        """)

    @Argument(help: "The job's id, such as 0-17.")
    var job: JobID

    @Flag(help: "With what was to be ranked, in the form that submit takes.")
    var request = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        let details = try await queues.queue(of: job).client.job(
          job, withRequest: request, withAttempts: true)
        var view = JobView(details)
        if request { view.request = try JobLineView(details) }
        try connection.printer.object(view) { view.text(palette: connection.printer.palette) }
      }
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes jobs that did not succeed ready again, with fresh attempts.",
      discussion: """
        rerankctl jobs retry 0-17 0-18
        rerankctl jobs retry --error-code UNAVAILABLE --newer-than 1h --dry-run
        rerankctl jobs retry --state expired --model builtin --yes

        By filters it takes dead jobs; --state cancelled and --state expired name others. Exit code 1
        when one of them could not be retried.
        """)

    @OptionGroup var bulk: BulkOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      let command = BulkCommand(
        action: .retry, options: bulk, printer: connection.printer
      ) { client, ids in
        zip(ids, try await client.retry(ids)).map { id, outcome in
          JobVerdict(
            id, state: outcome.hasError ? nil : .ready,
            error: outcome.hasError ? outcome.error : nil)
        }
      }
      try await connection.withQueues(command.run)
    }
  }

  struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Cancels jobs that have not ended.",
      discussion: """
        rerankctl jobs cancel 0-17 0-18
        rerankctl jobs cancel --tenant nightly --dry-run
        rerankctl jobs cancel --all --model old-model --yes

        A job that has ended stays as it is. Exit code 1 when one of them could not be cancelled.
        """)

    @OptionGroup var bulk: BulkOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      let command = BulkCommand(
        action: .cancel, options: bulk, printer: connection.printer
      ) { client, ids in
        try await client.cancelJobs(ids).map(JobVerdict.init)
      }
      try await connection.withQueues(command.run)
    }
  }

  struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Removes ended jobs with their results, before retention would.",
      discussion: """
        rerankctl jobs purge --state dead --older-than 7d --dry-run
        rerankctl jobs purge --tenant trial --undelivered --yes

        Jobs whose outcome nobody acknowledged on their reply channel stay, unless --undelivered. What
        is purged is gone: `rerankctl jobs export` keeps a copy. Exit code 1 when one stayed.
        """)

    @OptionGroup var bulk: BulkOptions

    @Flag(help: "Also jobs whose outcome nobody acknowledged yet.")
    var undelivered = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      let undelivered = undelivered
      let command = BulkCommand(
        action: .purge, options: bulk, printer: connection.printer
      ) { client, ids in
        try await client.purge(ids, undelivered: undelivered).map(JobVerdict.init)
      }
      try await connection.withQueues(command.run)
    }
  }
}
