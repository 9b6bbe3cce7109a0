import ArgumentParser
import Foundation
import GatewayRole
import Logging
import QueueRole
import ServiceLifecycle
import Settings
import WorkerRole

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Runs a queue, its workers and a gateway on this machine, and keeps them running.",
    discussion: """
      Each is a process of its own, started again with backoff when it ends by itself. SIGTERM or
      Ctrl-C ends the gateway first, then the workers, which finish or give back what they hold, and
      then the queue. --no-gateway serves no HTTP.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var queue: QueueOptions
  @OptionGroup var gateway: GatewayOptions

  @Flag(help: "Serve no HTTP.")
  var noGateway = false

  @Option(help: "Worker processes.")
  var workers = 1

  @Option(help: "Threads of each worker's embedded engine.")
  var lanes: Int?

  static let workersMax = 256

  func run() async throws {
    try await reportingFailures {
      guard (1...Self.workersMax).contains(workers) else {
        throw ConfigurationError(key: "--workers", message: "must be from 1 to \(Self.workersMax)")
      }
      let logger = try common.logger("rerankd.up")
      // Read here as well, so that a wrong setting is said once and not by every child in a loop.
      let configuration = try common.loadConfiguration()
      let applied = try queue.applied(to: configuration.queue)
      let workersEndpoint = applied.shell.workersEndpoint
      guard !workersEndpoint.hasSuffix(":*") else {
        throw ConfigurationError(
          key: "--worker-endpoint", message: "needs a port that the workers can be told")
      }
      let producersEndpoint = applied.shell.producersEndpoint
      guard noGateway || !producersEndpoint.hasSuffix(":*") else {
        throw ConfigurationError(
          key: "--producer-endpoint", message: "needs a port that the gateway can be told")
      }
      let shared = common.arguments + ["--supervised"]
      let workerArguments =
        ["worker", "--queue", workersEndpoint] + (lanes.map { ["--lanes", "\($0)"] } ?? [])
      let gatewayGrace = try gateway.applied(to: configuration.gateway).shutdownGrace + .seconds(5)
      let grace = configuration.worker.worker.shutdownGrace + .seconds(5)
      let processes =
        [process("queue", ["queue"] + queue.arguments + shared, grace: .seconds(15), logger)]
        + (1...workers).map {
          process("worker-\($0)", workerArguments + shared, grace: grace, logger)
        }
      let http = process(
        "gateway", ["gateway", "--queue", producersEndpoint] + gateway.arguments + shared,
        grace: gatewayGrace, logger)
      // The group ends in reverse order: the gateway, all workers together, then the queue.
      try await common.run(
        [processes[0], SupervisedGroup(processes: Array(processes.dropFirst()))]
          + (noGateway ? [] : [http]), logger: logger)
    }
  }

  private func process(
    _ name: String, _ arguments: [String], grace: Duration, _ logger: Logger
  ) -> SupervisedProcess {
    SupervisedProcess(
      name: name, executable: CommandLine.executablePath, arguments: arguments, grace: grace,
      logger: logger)
  }
}

/// Several processes that run, and end, at the same time.
struct SupervisedGroup: Service {
  var processes: [SupervisedProcess]

  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for process in processes { group.addTask { try await process.run() } }
      try await group.waitForAll()
    }
  }
}

extension CommonOptions {
  fileprivate var arguments: [String] {
    (config.map { ["--config", $0] } ?? []) + (logLevel.map { ["--log-level", $0] } ?? [])
  }
}

extension CommandLine {
  /// This very binary, also when it was started by a name on PATH or replaced meanwhile.
  fileprivate static var executablePath: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
  }
}
