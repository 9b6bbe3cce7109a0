import ArgumentParser
import Foundation
import GatewayRole
import Logging
import QueueRole
import ServiceLifecycle
import Settings
import UnixSignals

/// What every role takes: its configuration file, how much it logs, and whether it is supervised.
struct CommonOptions: ParsableArguments {
  @Option(help: "The configuration file (YAML). Environment: RERANKD_CONFIG.")
  var config: String?

  @Option(help: "trace, debug, info, notice, warning or error. Environment: RERANKD_LOG_LEVEL.")
  var logLevel: String?

  @Flag(help: .hidden)
  var supervised = false

  static let configVariable = "RERANKD_CONFIG"
  static let logLevelVariable = "RERANKD_LOG_LEVEL"

  var environment: [String: String] { ProcessInfo.processInfo.environment }

  var configPath: String? { config ?? environment[Self.configVariable] }

  func loadConfiguration() throws -> DaemonConfiguration {
    try DaemonConfiguration.load(path: configPath)
  }

  /// Logs go to standard error: standard output is for what was asked for.
  func logger(_ label: String) throws -> Logger {
    let text = logLevel ?? environment[Self.logLevelVariable] ?? "notice"
    guard let level = Logger.Level(rawValue: text) else {
      let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
      throw ConfigurationError(
        key: "--log-level", message: "\"\(text)\" is no level; known: \(known)")
    }
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    var logger = Logger(label: label)
    logger.logLevel = level
    return logger
  }

  /// Runs the services until one of them ends or SIGTERM or SIGINT asks for the end, which then
  /// goes in reverse order. A second signal does not wait for what is under way.
  func run(_ services: [any Service], logger: Logger) async throws {
    var configurations = services.map {
      ServiceGroupConfiguration.ServiceConfiguration(
        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
        failureTerminationBehavior: .gracefullyShutdownGroup)
    }
    if supervised {
      configurations.append(
        .init(
          service: SupervisorWatch(),
          successTerminationBehavior: .gracefullyShutdownGroup))
    }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(services: configurations, logger: logger))
    let running = Task { try await group.run() }
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let listening = Task {
      var isEnding = false
      for await _ in signals {
        guard !isEnding else { return running.cancel() }
        isEnding = true
        await group.triggerGracefulShutdown()
      }
    }
    defer { listening.cancel() }
    try await running.value
  }
}

/// Ends a process with an exit code that says what kind of thing went wrong, and a sentence that
/// says what. ArgumentParser's own errors keep their way.
func reportingFailures(_ body: () async throws -> Void) async throws {
  do {
    try await body()
  } catch let error as ConfigurationError {
    throw failure(error, exitCode: 78)
  } catch let error as QueueError {
    throw failure(error, exitCode: exitCode(for: error.code))
  } catch let error as GatewayError {
    throw failure(error, exitCode: error.code == .configuration ? 78 : 1)
  } catch where !(error is ExitCode || error is ValidationError || error is CleanExit) {
    throw failure(error, exitCode: 1)
  }
}

/// sysexits' EX_CONFIG and EX_IOERR, as the command's help has them.
private func exitCode(for code: QueueError.Code) -> Int32 {
  switch code {
  case .configuration: 78
  case .ledger: 74
  case .socket: 1
  }
}

private func failure(_ error: any Error, exitCode: Int32) -> ExitCode {
  StandardErrorStream.shared.write(line: "rerankd: \(error)")
  return ExitCode(exitCode)
}
