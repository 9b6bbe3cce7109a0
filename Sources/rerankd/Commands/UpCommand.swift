import ArgumentParser
import CallTransport
import Foundation
import GatewayRole
import Logging
import Observability
import QueueRole
import RerankdClient
import ServiceLifecycle
import Settings
import Synchronization
import WorkerRole

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Runs a queue, its workers and a gateway on this machine, and keeps them running.",
    discussion: """
      Each is a process of its own, started again with backoff when it ends by itself. SIGTERM or
      Ctrl-C ends the gateway first, then the workers, which finish or give back what they hold, and
      then the queue; a second one does not wait. --no-gateway serves no HTTP. SIGHUP reads the
      settings anew, here and in every process. rerankctl workers scale N has N workers run.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var queue: QueueOptions
  @OptionGroup var gateway: GatewayOptions

  @Flag(help: "Serve no HTTP.")
  var noGateway = false

  @Option(help: "Worker processes; rerankctl workers scale changes it.")
  var workers: Int?

  @Option(help: "Threads of each worker's embedded engine.")
  var lanes: Int?

  func run() async throws {
    try await reportingFailures {
      let layers = queue.layers(
        common, Set(ConfigurationRole.allCases).subtracting(noGateway ? [.gateway] : []), flags)
      // Read here as well, so that a wrong setting is said once and not by every child in a loop.
      let configuration = try DaemonConfiguration.load(layers)
      let level = SharedLogLevel(configuration.log)
      let logger = common.logger("rerankd.up", level, configuration.log.format)
      let shell = configuration.queue.shell
      guard !shell.workersEndpoint.hasSuffix(":*") else {
        throw ConfigurationError(
          key: "queue.sockets.workers", message: "needs a port that the workers can be told")
      }
      guard !shell.producersEndpoint.hasSuffix(":*") else {
        throw ConfigurationError(
          key: "queue.sockets.producers", message: "needs a port that the gateway can be told")
      }
      let queueProcess = process(
        "queue", ["queue"] + queue.arguments, .seconds(15), configuration.log.format, logger)
      let fleet = workers(configuration, logger)
      let gatewayProcess = process(
        "gateway", ["gateway", "--queue", shell.producersEndpoint] + gateway.arguments,
        configuration.gateway.shutdownGrace + .seconds(5), configuration.log.format, logger)
      let servesGateway = configuration.up.servesGateway
      var client = try ClientConfiguration(endpoint: shell.producersEndpoint)
      client.connection.security = try configuration.gatewayKeys.security()
      // The group ends in reverse order: the gateway, all workers together, then the queue.
      let services: [any Service] =
        [queueProcess, SupervisorReports(client: client, fleet: fleet, logger: logger), fleet]
        + (servesGateway ? [gatewayProcess] : [])
      let reload = SettingsReload(
        layers, running: configuration, role: .supervisor, level: level, logger: logger)
      let formerWorkers = Mutex(configuration.up.workers)
      try await common.run(services, logger: logger) {
        let isRight = await reload.reload { new in
          fleet.limit(workersMax: new.up.workersMax, crashesMax: new.up.crashesMax)
          // Only where the file says another number than before: what an operator asked for since
          // then stays.
          let isNew = formerWorkers.withLock { former in
            defer { former = new.up.workers }
            return former != new.up.workers
          }
          if isNew { fleet.want(new.up.workers) }
        }
        guard isRight else { return }
        queueProcess.hangUp()
        fleet.hangUp()
        gatewayProcess.hangUp()
      }
    }
  }

  /// Worker 1 shows its metrics on the next port, and so on.
  private static let metricsPort = 7881

  private var flags: [FlagValue] {
    gateway.flags
      + (workers.map { [FlagValue("--workers", for: "up.workers", "\($0)")] } ?? [])
      + (lanes.map { [FlagValue("--lanes", for: "worker.lanes", "\($0)")] } ?? [])
      + (noGateway ? [FlagValue("--no-gateway", for: "up.gateway", "false")] : [])
  }

  private func workers(_ configuration: DaemonConfiguration, _ logger: Logger) -> WorkerFleet {
    let arguments =
      ["worker", "--queue", configuration.queue.shell.workersEndpoint]
      + (lanes.map { ["--lanes", "\($0)"] } ?? []) + shared
    let grace = configuration.worker.worker.shutdownGrace + .seconds(5)
    let up = configuration.up
    return WorkerFleet(
      workers: up.workers, workersMax: up.workersMax, crashesMax: up.crashesMax, logger: logger
    ) { number in
      ChildRun(
        name: "worker-\(number)", executable: CommandLine.executablePath,
        logFormat: configuration.log.format,
        arguments: arguments + ["--metrics-listen", "127.0.0.1:\(Self.metricsPort + number)"],
        grace: grace, logger: logger)
    }
  }

  private func process(
    _ name: String, _ arguments: [String], _ grace: Duration, _ format: LogFormat,
    _ logger: Logger
  ) -> SupervisedProcess {
    let arguments = arguments + shared
    return SupervisedProcess(name: name, logger: logger) {
      ChildRun(
        name: name, executable: CommandLine.executablePath, logFormat: format,
        arguments: arguments, grace: grace,
        logger: logger)
    }
  }

  private var shared: [String] { common.arguments + ["--supervised"] }
}

extension CommonOptions {
  fileprivate var arguments: [String] {
    (config.map { ["--config", $0] } ?? []) + (logLevel.map { ["--log-level", $0] } ?? [])
      + (logFormat.map { ["--log-format", $0] } ?? [])
  }
}

extension CommandLine {
  /// This very binary, also when it was started by a name on PATH or replaced meanwhile.
  fileprivate static var executablePath: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
  }
}
