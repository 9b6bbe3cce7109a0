import ArgumentParser
import RerankdClient
import RerankdProtocol

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Looks at jobs, retries and cancels them.",
    subcommands: [List.self, Show.self, Retry.self, Cancel.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists jobs, newest first.",
      discussion: "rerankctl jobs list --state dead --model builtin --limit 20")

    @Option(help: "delayed, ready, leased, succeeded, dead, cancelled or expired; may be repeated.")
    var state: [JobState] = []

    @Option var tenant: String?
    @Option var model: String?

    @Option(help: "Only jobs before this one, for the next page.")
    var before: JobID?

    @Option(help: "At most so many, 1 to 1000.")
    var limit: UInt32 = 50

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        var request = ListJobsRequest()
        request.states = state
        request.tenant = tenant ?? ""
        request.model = model ?? ""
        request.beforeJobID = before?.rawValue ?? 0
        request.limit = limit
        let page = try await client.jobs(request)
        let views = page.jobs.map(JobView.init)
        try connection.printer.list(views) { JobView.table(views) }
        if page.nextBeforeJobID != 0, connection.output == .table {
          let next = JobID(rawValue: page.nextBeforeJobID)
          CommandFailure.say("there are more: --before \(next)")
        }
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints a job with its attempts and its outcome.")

    @Argument(help: "The job's id, such as 0-17.")
    var job: JobID

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let view = JobView(try await client.job(job, withAttempts: true))
        try connection.printer.object(view) { view.text }
      }
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes dead, cancelled or expired jobs ready again, with fresh attempts.")

    @Argument(help: "The jobs' ids.")
    var jobs: [JobID]

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let outcomes = try await client.retry(jobs)
        let views = zip(jobs, outcomes).map { JobVerdict(job: $0, error: $1.hasError ? $1.error : nil) }
        try connection.printer.list(views) { JobVerdict.table(views, done: "retried") }
        if views.contains(where: { $0.error != nil }) { throw CommandFailure.unsuccessful }
      }
    }
  }

  struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Cancels jobs that have not ended.",
      discussion: "A job that has ended already stays as it is; its state is printed.")

    @Argument(help: "The jobs' ids.")
    var jobs: [JobID]

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        var views: [JobVerdict] = []
        for job in jobs { views.append(try await cancel(job, client)) }
        try connection.printer.list(views) { JobVerdict.table(views, done: "cancelled") }
        if views.contains(where: { $0.error != nil }) { throw CommandFailure.unsuccessful }
      }
    }

    /// A job that cannot be cancelled does not keep the others from it; a queue that is away does.
    private func cancel(_ job: JobID, _ client: QueueClient) async throws -> JobVerdict {
      do {
        return JobVerdict(job: job, state: try await client.cancel(job))
      } catch {
        guard error.code != .unavailable else { throw error }
        return JobVerdict(job: job, error: error.status)
      }
    }
  }
}

/// What became of one job of a command on several.
private struct JobVerdict: Encodable {
  var jobId: String
  var state: String?
  var error: ErrorView?

  init(job: JobID, state: JobState? = nil, error: CallStatus? = nil) {
    jobId = job.description
    self.state = state?.word
    self.error = error.map(ErrorView.init)
  }

  static func table(_ verdicts: [JobVerdict], done: String) -> TextTable {
    var table = TextTable([("JOB", .left), ("RESULT", .left)])
    for verdict in verdicts {
      table.append([
        verdict.jobId, verdict.error.map { "\($0.code): \($0.message)" } ?? verdict.state ?? done,
      ])
    }
    return table
  }
}
