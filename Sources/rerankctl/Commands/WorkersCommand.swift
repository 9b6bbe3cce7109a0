import ArgumentParser
import RerankdClient
import RerankdProtocol

struct WorkersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "workers",
    abstract: "Looks at the attached workers; pauses, drains and scales them.",
    discussion: """
      rerankctl workers list
      rerankctl workers pause gpu-1
      rerankctl workers drain gpu-1 --until-gone
      rerankctl workers scale 4
      """,
    subcommands: [
      List.self, PauseCommand<WorkerChoice>.self, ResumeCommand<WorkerChoice>.self, Drain.self,
      Scale.self,
    ],
    defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the attached workers.",
      discussion: "rerankctl workers list -o json | jq '.[] | select(.silent_ms > 5000)'")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        let answers = try await queues.ask { queue throws(CallError) in try await queue.workers() }
        let views = answers.values.flatMap { endpoint, workers in
          workers.map { worker in
            var view = WorkerView(worker)
            if queues.all.count > 1 { view.endpoint = endpoint }
            return view
          }
        }
        try connection.printer.list(views) { WorkerView.table(views) }
        try QueueFailure.report(answers.failures)
      }
    }
  }

  struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lets workers finish what they hold and leave.",
      discussion: """
        rerankctl workers drain gpu-1
        rerankctl workers drain --all --until-gone

        A drained worker's process ends; who supervises it (rerankd up, systemd, Kubernetes) may start
        another. To have fewer of them: rerankctl workers scale.
        """)

    @OptionGroup var chosen: WorkerChoice

    @Flag(help: "Return when they are gone.")
    var untilGone = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let before = Dictionary(
          try await client.workers().map { ($0.workerID, $0.processID) },
          uniquingKeysWith: { first, _ in first })
        let drained = try await chosen.each(client, connection.printer, done: "draining") {
          try await client.drainWorker($0)
        }
        guard untilGone else { return }
        try await wait(for: drained.compactMap { id in before[id].map { (id, $0) } }) {
          try await client.workers()
        }
      }
    }

    /// A worker of the same name may be back at once; it is another process then.
    private func wait(
      for drained: [(id: String, process: UInt32)], workers: () async throws -> [WorkerInfo]
    ) async throws {
      while true {
        let left = try await workers()
        let isThere = drained.contains { gone in
          left.contains { $0.workerID == gone.id && $0.processID == gone.process }
        }
        guard isThere else { return }
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  struct Scale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Asks a running `rerankd up` for another number of worker processes.",
      discussion: """
        rerankctl workers scale 4
        rerankctl workers scale 0 --supervisor node-7

        Supervisors are listed by `rerankctl status`. What their configuration allows at most holds.
        """)

    @Argument(help: "How many.")
    var count: UInt32

    @Option(help: "Which `rerankd up`, where there are several.")
    var supervisor: String?

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withClient { client in
        let view = SupervisorView(
          try await client.scaleWorkers(to: count, supervisorID: supervisor))
        try connection.printer.object(view) {
          SupervisorView.table([view])
            .text(widthMax: Printer.terminalWidth, palette: connection.printer.palette)
        }
      }
    }
  }
}

/// Workers by their ids, or all of them.
struct WorkerChoice: ParsableArguments {
  @Argument(help: "The workers' ids, as `rerankctl workers list` prints them.")
  var workers: [String] = []

  @Flag(help: "All that are attached now.")
  var all = false

  func validate() throws {
    if workers.isEmpty != all { throw ValidationError("name workers, or give --all") }
  }

  /// What became of one worker.
  private struct Verdict: Encodable {
    var workerId: String
    var result: String?
    var error: ErrorView?
  }

  /// Does something to each; one that is not there does not keep the others from it.
  ///
  /// - Returns: the ids of those that it was done to.
  @discardableResult
  func each(
    _ client: ShardedClient, _ printer: Printer, done: String,
    _ body: (String) async throws -> Void
  ) async throws -> [String] {
    // A worker of several queues is drained at each of them by one call.
    let ids =
      all ? Set(try await client.workers().map(\.workerID)).sorted() : workers
    var verdicts: [Verdict] = []
    for id in ids {
      do {
        try await body(id)
        verdicts.append(Verdict(workerId: id, result: done))
      } catch let error as CallError where error.code != .unavailable {
        verdicts.append(Verdict(workerId: id, error: ErrorView(error.status)))
      }
    }
    try printer.list(verdicts) {
      var table = TextTable([("WORKER", .left), ("RESULT", .left)])
      for verdict in verdicts {
        table.append([.init(verdict.workerId), .init(verdict.error, done: done)])
      }
      return table
    }
    let failed = verdicts.contains { $0.error != nil }
    if failed { throw CommandFailure.unsuccessful }
    return ids
  }
}
