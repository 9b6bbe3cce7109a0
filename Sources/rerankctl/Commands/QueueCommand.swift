import ArgumentParser
import RerankdClient
import RerankdProtocol

struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Pauses and drains the queue as a whole.",
    discussion: """
      rerankctl queue pause                     assign nothing; submits go on
      rerankctl queue drain --until-empty       refuse new jobs and work off the others
      rerankctl queue undrain

      A paused or drained queue says so in `rerankctl status`.
      """,
    subcommands: [Pause.self, Resume.self, Drain.self, Undrain.self])

  struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Assigns nothing to workers until it is resumed; submits go on.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        try await connection.printer.verdicts(of: queues, "paused") { queue throws(CallError) in
          try await queue.setPaused(true)
        }
      }
    }
  }

  struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Assigns jobs to workers again.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        try await connection.printer.verdicts(of: queues, "resumed") { queue throws(CallError) in
          try await queue.setPaused(false)
        }
      }
    }
  }

  struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Refuses new jobs (UNAVAILABLE, DRAINING) and works off those that it has.",
      discussion: """
        rerankctl queue drain
        rerankctl queue drain --until-empty --within 10m && systemctl stop rerankd-queue
        """)

    @Flag(help: "Return when every job has ended.")
    var untilEmpty = false

    @Option(help: "With --until-empty: give up after so long, with exit code 1. It drains on.")
    var within: TimeArgument?

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
      if within != nil, !untilEmpty { throw ValidationError("--within needs --until-empty") }
    }

    func run() async throws {
      try await connection.withQueues { queues in
        try await connection.printer.verdicts(of: queues, "draining") { queue throws(CallError) in
          try await queue.setDraining(true)
        }
        if untilEmpty { try await waitUntilEmpty { try await queues.client.status() } }
      }
    }

    private func waitUntilEmpty(_ status: () async throws -> StatusResponse) async throws {
      let end = within.map { ContinuousClock.now + $0.duration }
      var progress = CountProgress(noun: "job")
      var before: Int?
      while true {
        let left = try await status().models.reduce(0) {
          $0 + Int($1.delayed + $1.ready + $1.leased)
        }
        // A retry by an operator may add some again.
        progress.add(max(0, (before ?? left) - left), note: "\(Quantity.count(left)) left")
        before = left
        guard left > 0 else { return progress.finish() }
        if let end, ContinuousClock.now >= end {
          progress.finish()
          CommandFailure.say("\(Quantity.count(left, "job")) left; the queue drains on")
          throw CommandFailure.unsuccessful
        }
        try await Task.sleep(for: .milliseconds(200))
      }
    }
  }

  struct Undrain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Takes new jobs again.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.withQueues { queues in
        try await connection.printer.verdicts(of: queues, "taking jobs") {
          queue throws(CallError) in
          try await queue.setDraining(false)
        }
      }
    }
  }
}

/// What became of one queue.
private struct QueueVerdict: Encodable {
  var endpoint: String
  var result: String?
  var error: ErrorView?
}

extension Printer {
  /// Does something to each queue and says what became of it; one that is away does not keep the
  /// others from it.
  ///
  /// - Throws: the exit code, when it could not be done to some; `CallError`, when to none.
  fileprivate func verdicts(
    of queues: Queues, _ done: String,
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Void
  ) async throws {
    let answers = try await queues.ask(body)
    let failures = answers.failures
    let verdicts = queues.all.map { queue in
      let failure = failures.first { $0.endpoint == queue.endpoint }
      return QueueVerdict(
        endpoint: queue.endpoint, result: failure == nil ? done : nil,
        error: failure.map { ErrorView($0.error.status) })
    }
    try list(verdicts) {
      var table = TextTable([("QUEUE", .left), ("RESULT", .left)])
      for verdict in verdicts {
        table.append([.init(verdict.endpoint), .init(verdict.error, done: done)])
      }
      return table
    }
    if !failures.isEmpty { throw CommandFailure.unsuccessful }
  }
}
