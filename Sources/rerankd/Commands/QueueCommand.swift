import ArgumentParser
import Logging
import Observability
import QueueRole
import Settings

struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Runs one queue: it owns the ledger and hands out jobs.")

  @OptionGroup var common: CommonOptions
  @OptionGroup var queue: QueueOptions

  func run() async throws {
    try await reportingFailures {
      let layers = queue.layers(common, [.queue])
      let configuration = try DaemonConfiguration.load(layers)
      let level = SharedLogLevel(configuration.log)
      let logger = common.logger("rerankd.queue", level, configuration.log.format)
      for notice in configuration.models.compactMap(\.notice) { logger.notice("\(notice)") }
      let observation = ProcessObservation("queue", tracing: configuration.tracing, logger: logger)
      let service = QueueService(
        configuration: Self.versioned(configuration.queue), logger: logger)
      let reload = SettingsReload(
        layers, running: configuration, role: .queue, level: level, logger: logger)
      let patience = configuration.queueMetrics.answerTimeout
      let health = RoleHealth(
        failure: { await service.isAlive(within: patience) ? nil : "the loop does not turn" },
        hindrance: { await service.isReady(within: patience) ? nil : "calls are not answered" })
      let watched = observation.services(configuration.queueMetrics, health: health) {
        await service.recordMetrics(within: patience)
      }
      try await common.run(watched + [service], logger: logger) {
        await reload.reload { service.reconfigure(Self.versioned($0.queue)) }
      }
    }
  }

  private static func versioned(_ configuration: QueueConfiguration) -> QueueConfiguration {
    var configuration = configuration
    configuration.version = Rerankd.version
    return configuration
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

  private var options: [(flag: String, key: String, value: String?)] {
    [
      ("--ledger", "queue.ledger.path", ledger),
      ("--producer-endpoint", "queue.sockets.producers", producerEndpoint),
      ("--worker-endpoint", "queue.sockets.workers", workerEndpoint),
      ("--intake-endpoint", "queue.sockets.intake", intakeEndpoint),
      ("--shard", "queue.shard", shard.map { "\($0)" }),
    ]
  }

  var flags: [FlagValue] {
    options.compactMap { option in
      option.value.map { FlagValue(option.flag, for: option.key, $0) }
    }
  }

  func layers(
    _ common: CommonOptions, _ roles: Set<ConfigurationRole>, _ others: [FlagValue] = []
  ) -> ConfigurationLayers {
    var layers = common.layers(roles, flags + others)
    layers.insecureListenConfirmed = insecure
    return layers
  }

  /// The same flags for a child process.
  var arguments: [String] {
    flags.flatMap { [$0.flag, $0.value] } + (insecure ? ["--insecure"] : [])
  }
}
