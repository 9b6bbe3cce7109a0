import ArgumentParser
import Ledger
import Logging
import QueueRole
import Settings

struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Runs one queue: it owns the ledger and hands out jobs.")

  @OptionGroup var common: CommonOptions
  @OptionGroup var queue: QueueOptions

  func run() async throws {
    try await reportingFailures {
      let logger = try common.logger("rerankd.queue")
      let file = try common.loadConfiguration()
      for notice in file.models.compactMap(\.notice) { logger.notice("\(notice)") }
      let configuration = try queue.applied(to: file.queue)
      try await common.run(
        [QueueService(configuration: configuration, logger: logger)], logger: logger)
    }
  }
}

/// The queue's flags, which `rerankd up` takes as well.
struct QueueOptions: ParsableArguments {
  @Option(help: "The ledger's SQLite file; made when it is not there.")
  var ledger: String?

  @Option(help: "Where producers and rerankctl connect.")
  var producerEndpoint: String?

  @Option(help: "Where workers connect.")
  var workerEndpoint: String?

  @Option(help: "Where bare jobs are taken without an answer; \"off\" for nowhere.")
  var intakeEndpoint: String?

  @Option(help: "Which of several queues this is.")
  var shard: UInt16?

  @Flag(
    help: """
      Listen beyond this machine without CURVE keys: whoever reaches the port may then submit, read \
      and cancel every job. Only with queue.sockets.insecure: true in the file as well.
      """)
  var insecure = false

  func applied(to configuration: QueueConfiguration) throws -> QueueConfiguration {
    var configuration = configuration
    configuration.ledger.path = ledger ?? configuration.ledger.path
    configuration.shard = shard ?? configuration.shard
    configuration.shell.producersEndpoint =
      producerEndpoint ?? configuration.shell.producersEndpoint
    configuration.shell.workersEndpoint = workerEndpoint ?? configuration.shell.workersEndpoint
    if let intakeEndpoint { configuration.shell.setBareEndpoint(intakeEndpoint) }
    configuration.shell.insecureListenConfirmed = insecure
    configuration.version = Rerankd.version
    if let problem = configuration.firstProblem {
      throw ConfigurationError(key: "queue.\(problem.key)", message: problem.message)
    }
    return configuration
  }

  /// The same flags for a child process.
  var arguments: [String] {
    var arguments: [String] = []
    let options: [(String, String?)] = [
      ("--ledger", ledger), ("--producer-endpoint", producerEndpoint),
      ("--worker-endpoint", workerEndpoint), ("--intake-endpoint", intakeEndpoint),
      ("--shard", shard.map { "\($0)" }),
    ]
    for (name, value) in options {
      if let value { arguments += [name, value] }
    }
    return insecure ? arguments + ["--insecure"] : arguments
  }
}
