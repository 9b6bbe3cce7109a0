import ArgumentParser
import Foundation
import GatewayRole
import Logging
import Observability
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

  @Option(help: "text, or json: one object a line. Environment: RERANKD_LOG_FORMAT.")
  var logFormat: String?

  @Flag(help: .hidden)
  var supervised = false

  static let configVariable = "RERANKD_CONFIG"
  static let logLevelVariable = "RERANKD_LOG_LEVEL"
  static let logFormatVariable = "RERANKD_LOG_FORMAT"

  var environment: [String: String] { ProcessInfo.processInfo.environment }

  var configPath: String? { config ?? environment[Self.configVariable] }

  /// The command's own flags go before the environment, and that before the file.
  func layers(
    _ roles: Set<ConfigurationRole>, _ flags: [FlagValue]
  ) -> ConfigurationLayers {
    let variables = environment
    var flags = flags
    if let logLevel {
      flags.append(FlagValue("--log-level", for: "log.level", logLevel))
    } else if let level = variables[Self.logLevelVariable] {
      flags.append(FlagValue(Self.logLevelVariable, for: "log.level", level))
    }
    if let logFormat {
      flags.append(FlagValue("--log-format", for: "log.format", logFormat))
    } else if let format = variables[Self.logFormatVariable] {
      flags.append(FlagValue(Self.logFormatVariable, for: "log.format", format))
    }
    return ConfigurationLayers(
      path: configPath, environment: variables, flags: flags, roles: roles)
  }

  /// Logs go to standard error: standard output is for what was asked for.
  func logger(_ label: String, _ level: SharedLogLevel, _ format: LogFormat) -> Logger {
    LoggingSystem.bootstrap(format)
    var logger = Logger(label: label)
    logger.handler = AdjustableLogHandler(logger.handler, level: level)
    return logger
  }

  /// Runs the services until one of them ends or SIGTERM or SIGINT asks for the end, which then
  /// goes in reverse order. A second signal does not wait for what is under way. SIGHUP has the
  /// settings read anew.
  func run(
    _ services: [any Service], logger: Logger, onHangUp: @escaping @Sendable () async -> Void
  ) async throws {
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
    // Trapped first: a signal that comes early must not end the process by its default.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    let running = Task { try await group.run() }
    let listening = Task {
      var isEnding = false
      for await signal in signals {
        if signal == .sighup {
          await onHangUp()
          continue
        }
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
