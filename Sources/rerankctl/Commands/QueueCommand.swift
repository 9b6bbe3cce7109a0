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
    subcommands: [
      PauseCommand<WholeQueue>.self, ResumeCommand<WholeQueue>.self, Drain.self, Undrain.self,
    ])

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
    static let configuration = CommandConfiguration(
      abstract: "Takes new jobs again.", discussion: "rerankctl queue undrain")

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
