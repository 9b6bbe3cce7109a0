import ArgumentParser
import RerankdClient
import RerankdProtocol

/// What can be paused and resumed: how the command line names it, what it says of the two, and how
/// it is done.
protocol Pausable: ParsableArguments {
  static var pauseHelp: CommandHelp { get }
  static var resumeHelp: CommandHelp { get }

  /// - Parameter done: the word for what became of each.
  func setPaused(_ paused: Bool, done: String, _ queues: Queues, _ printer: Printer) async throws
}

/// What a command's help says of it.
struct CommandHelp {
  var abstract: String
  /// Examples, and what else there is to know.
  var discussion: String
}

struct PauseCommand<Target: Pausable>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "pause", abstract: Target.pauseHelp.abstract,
      discussion: Target.pauseHelp.discussion)
  }

  @OptionGroup var target: Target
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await connection.withQueues {
      try await target.setPaused(true, done: "paused", $0, connection.printer)
    }
  }
}

struct ResumeCommand<Target: Pausable>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "resume", abstract: Target.resumeHelp.abstract,
      discussion: Target.resumeHelp.discussion)
  }

  @OptionGroup var target: Target
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    try await connection.withQueues {
      try await target.setPaused(false, done: "resumed", $0, connection.printer)
    }
  }
}

/// A backend, for all workers of all queues.
struct BackendChoice: Pausable {
  @Argument(help: "The backend's name.")
  var name: String

  static let pauseHelp = CommandHelp(
    abstract: "Sends nothing to a backend until it is resumed; its jobs wait, or go to fallbacks.",
    discussion: "rerankctl backends pause hub")
  static let resumeHelp = CommandHelp(
    abstract:
      "Sends to a backend again; ends its rest as well, and the waits of jobs that failed on it.",
    discussion: "rerankctl backends resume hub")

  func setPaused(
    _ paused: Bool, done: String, _ queues: Queues, _ printer: Printer
  ) async throws {
    let name = name
    try await printer.verdicts(of: queues, done) { queue throws(CallError) in
      try await queue.setBackendPaused(name, paused)
    }
  }
}

extension WorkerChoice: Pausable {
  static let pauseHelp = CommandHelp(
    abstract: "Gives workers nothing new until they are resumed; they keep what they hold.",
    discussion: """
      rerankctl workers pause gpu-1 gpu-2
      rerankctl workers pause --all
      """)
  static let resumeHelp = CommandHelp(
    abstract: "Gives paused workers jobs again.",
    discussion: """
      rerankctl workers resume gpu-1
      rerankctl workers resume --all
      """)

  func setPaused(
    _ paused: Bool, done: String, _ queues: Queues, _ printer: Printer
  ) async throws {
    try await each(queues.client, printer, done: done) {
      try await queues.client.setWorkerPaused($0, paused)
    }
  }
}

/// The queue as a whole, or all of them.
struct WholeQueue: Pausable {
  static let pauseHelp = CommandHelp(
    abstract: "Assigns nothing to workers until it is resumed; submits go on.",
    discussion: "rerankctl queue pause")
  static let resumeHelp = CommandHelp(
    abstract: "Assigns jobs to workers again.", discussion: "rerankctl queue resume")

  func setPaused(
    _ paused: Bool, done: String, _ queues: Queues, _ printer: Printer
  ) async throws {
    try await printer.verdicts(of: queues, done) { queue throws(CallError) in
      try await queue.setPaused(paused)
    }
  }
}
