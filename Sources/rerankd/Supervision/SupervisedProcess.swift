import Logging
import ServiceLifecycle
import Subprocess
import SystemPackage

/// One child process that is to run for as long as the supervisor does: started again with backoff
/// when it ends by itself, asked by SIGTERM to end when the supervisor ends, and ended by force when
/// it does not do so in time. What it writes to its standard error goes to ours, line by line.
///
/// The child holds the reading end of a pipe as its standard input. Should the supervisor be killed,
/// the pipe closes, and the child, started with `--supervised`, ends as by SIGTERM.
struct SupervisedProcess: Service {
  /// "queue" or "worker-1".
  var name: String
  var executable: String
  var arguments: [String]
  /// From SIGTERM to SIGKILL.
  var grace: Duration
  var logger: Logger

  func run() async throws {
    var policy = RestartPolicy()
    while !Task.isShuttingDownGracefully && !Task.isCancelled {
      let started = ContinuousClock.now
      let end = await runOnce()
      guard !Task.isShuttingDownGracefully && !Task.isCancelled else { return }
      let pause = policy.pause(afterRunOf: started.duration(to: .now))
      logger.error("\(name) ended (\(end)); starting it again in \(pause)")
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
    }
  }

  /// - Returns: how the child ended, as a sentence's part.
  private func runOnce() async -> String {
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
        try await relayErrorLines(of: execution)
      }
      return "\(result.terminationStatus)"
    } catch {
      return "\(error)"
    }
  }

  /// Returns when the child has closed its standard error, which is when it has ended.
  private func relayErrorLines(
    of execution: Execution<CustomWriteInput, DiscardedOutput, SequenceOutput>
  ) async throws {
    try await withGracefulShutdownHandler {
      for try await line in execution.standardError.strings() {
        StandardErrorStream.shared.write(line: "[\(name)] \(line)")
      }
    } onGracefulShutdown: {
      try? execution.send(signal: .terminate)
    }
  }
}
