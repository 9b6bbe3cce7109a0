import Logging
import Observability
import Subprocess
import Synchronization
import SystemPackage

/// One run of one child process, from its start to its end. What it writes to its standard error goes
/// to ours, line by line.
///
/// The child holds the reading end of a pipe as its standard input. Should the supervisor be killed,
/// the pipe closes, and the child, started with `--supervised`, ends as by SIGTERM. Cancelling the
/// task that runs it ends it by SIGTERM, and by SIGKILL after its grace.
final class ChildRun: Sendable {
  /// "queue" or "worker-1".
  let name: String
  private let executable: String
  /// How the child writes its log, and so its lines here.
  private let logFormat: LogFormat
  private let arguments: [String]
  /// From SIGTERM to SIGKILL.
  private let grace: Duration
  private let logger: Logger
  private let state = Mutex(State())

  private struct State {
    /// While the child runs.
    var send: (@Sendable (Signal) -> Void)?
    var isAskedToEnd = false
  }

  init(
    name: String, executable: String, logFormat: LogFormat, arguments: [String],
    grace: Duration, logger: Logger
  ) {
    self.name = name
    self.executable = executable
    self.logFormat = logFormat
    self.arguments = arguments
    self.grace = grace
    self.logger = logger
  }

  /// - Returns: how the child ended, as a sentence's part.
  func run() async -> String {
    var options = PlatformOptions()
    // A group of its own: a Ctrl-C reaches the supervisor alone, which ends its children in order.
    options.processGroupID = 0
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: grace)]
    do {
      let result = try await Subprocess.run(
        .path(FilePath(executable)), arguments: .init(arguments), platformOptions: options,
        input: .inputWriter, output: .discarded, error: .sequence
      ) { execution in
        logger.info("\(name) started", metadata: ["pid": "\(execution.processIdentifier)"])
        try await follow(execution)
      }
      return "\(result.terminationStatus)"
    } catch {
      return "\(error)"
    }
  }

  /// Asks the child to end; after its grace it is ended by force. A child that is only being started
  /// is asked as soon as it runs.
  func end() {
    let send = state.withLock { state in
      state.isAskedToEnd = true
      return state.send
    }
    send?(.terminate)
  }

  func hangUp() {
    state.withLock(\.send)?(.terminalClosed)
  }

  /// Returns when the child has closed its standard error, which is when it has ended.
  private func follow(
    _ execution: Execution<CustomWriteInput, DiscardedOutput, SequenceOutput>
  ) async throws {
    let isAskedToEnd = state.withLock { state in
      state.send = { signal in try? execution.send(signal: signal) }
      return state.isAskedToEnd
    }
    defer { state.withLock { $0.send = nil } }
    if isAskedToEnd { try? execution.send(signal: .terminate) }
    for try await line in execution.standardError.strings() {
      StandardErrorStream.shared.write(
        line: logFormat == .json
          ? JSONLogLine.relayed(line, process: name) : "[\(name)] \(line)")
    }
  }

  /// Ends a child by force that has not ended its grace after it was asked to.
  func enforceEnd() async {
    guard (try? await Task.sleep(for: grace)) != nil, let send = state.withLock(\.send) else {
      return
    }
    logger.error("\(name) has not ended \(grace) after it was asked to, and is killed")
    send(.kill)
  }
}
