import ArgumentParser
import CallTransport
import EmbeddedEngine
import Logging
import Observability
import Scoring
import Settings
import WorkerRole
import ZeroMQ

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Runs one worker: it takes jobs, has them scored and answers.")

  @OptionGroup var common: CommonOptions

  @Option(help: "A queue's endpoint for workers; once for each shard.")
  var queue: [String] = []

  @Option(help: "The worker's name, stable over restarts; made from host and process by default.")
  var id: String?

  @Option(help: "Threads of the embedded engine; by default one less than there are cores.")
  var lanes: Int?

  @Option(help: "Jobs held at once.")
  var creditJobs: Int?

  @Option(help: "Where metrics and health are shown: HOST:PORT, or off.")
  var metricsListen: String?

  func run() async throws {
    try await reportingFailures {
      let layers = common.layers([.worker], flags)
      let configuration = try DaemonConfiguration.load(layers)
      let level = SharedLogLevel(configuration.log)
      let logger = common.logger("rerankd.worker", level, configuration.log.format)
      let settings = configuration.worker
      let observation = ProcessObservation(
        "worker", tracing: configuration.tracing, logger: logger)
      let engines = try EngineSet(
        configuration, embedded: settings.embedded, environment: common.environment,
        onBatch: observation.onBatch, logger: logger)
      let reload = SettingsReload(
        layers, running: configuration, role: .worker, level: level, logger: logger)
      let end = await Result.catching {
        let workers = try workers(settings, engines: engines.engines, logger)
        let health = RoleHealth(hindrance: {
          for worker in workers where await worker.isAttached { return nil }
          return "no queue has this worker"
        })
        try await common.run(
          observation.services(settings.metrics, health: health) + workers, logger: logger
        ) { await reload.reload { _ in } }
      }
      await engines.shutdown()
      try end.get()
    }
  }

  private var flags: [FlagValue] {
    let options: [(String, String, String?)] = [
      ("--queue", "worker.queues", queue.isEmpty ? nil : queue.joined(separator: ",")),
      ("--id", "worker.id", id), ("--lanes", "worker.lanes", lanes.map { "\($0)" }),
      ("--credit-jobs", "worker.credit_jobs", creditJobs.map { "\($0)" }),
      ("--metrics-listen", "worker.metrics.listen", metricsListen),
    ]
    return options.compactMap { flag, key, value in
      value.map { FlagValue(flag, for: key, $0) }
    }
  }

  /// One worker a shard. The credit is split over them, so that the sum is what the machine can hold.
  private func workers(
    _ settings: WorkerSettings, engines: [any RerankEngine], _ logger: Logger
  ) throws -> [Worker] {
    let shards = settings.queues.count
    // One key for all of them, and its file read once.
    let security = try settings.keys.security()
    return try settings.queues.map { endpoint in
      var worker = settings.worker
      worker.creditJobs = settings.worker.creditJobs / shards
      worker.creditBytes = max(1, settings.worker.creditBytes / shards)
      return try Worker(
        worker, engines: engines, queue: connection(to: endpoint, security),
        version: Rerankd.version, logger: logger)
    }
  }

  private func connection(
    to endpoint: String, _ security: SocketOptions.Security
  ) throws -> ConnectionConfiguration {
    do {
      var connection = ConnectionConfiguration(endpoint: try Endpoint(endpoint))
      connection.security = security
      return connection
    } catch {
      throw ConfigurationError(key: "worker.queues", message: "\(error)")
    }
  }
}

extension Result where Failure == any Error, Success == Void {
  fileprivate static func catching(_ body: () async throws -> Void) async -> Self {
    do {
      return .success(try await body())
    } catch {
      return .failure(error)
    }
  }
}
