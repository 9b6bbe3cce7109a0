public import CallTransport
public import Logging
public import Scoring
public import ServiceLifecycle

/// A worker: takes jobs from one queue, has them scored and answers. See the module's page.
///
/// Graceful shutdown finishes what is held within the grace period and gives back the rest; cancelling
/// the task, or ``releaseNow()``, gives everything back at once.
public final class Worker: Service {
  private let shell: WorkerShell

  /// - Parameters:
  ///   - engines: where two serve a model of the same name, the first one gets its jobs.
  ///   - queue: where the queue's endpoint for workers is.
  ///   - version: told to the queue, for people.
  /// - Throws: ``WorkerConfiguration/Invalid``.
  public init(
    _ configuration: WorkerConfiguration, engines: [any RerankEngine],
    queue: ConnectionConfiguration, version: String, logger: Logger
  ) throws {
    try configuration.validate()
    shell = WorkerShell(
      configuration, engines: engines, queue: queue, version: version, logger: logger)
  }

  /// Returns when nothing is held any more after a shutdown, a drain that the queue asked for, or a
  /// cancellation.
  ///
  /// - Throws: `ZeroMQError` when the process is out of sockets, files or threads.
  public func run() async throws {
    let shell = shell
    // A task of its own, since cancellation must not cut off what gives the jobs back.
    let work = Task { try await shell.run() }
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler {
        try await work.value
      } onGracefulShutdown: {
        Task { await shell.handle(.shutdown) }
      }
    } onCancel: {
      Task { await shell.handle(.releaseNow) }
    }
  }

  /// Gives back every job in work without spending its attempt, and ends: for a second signal.
  public func releaseNow() async {
    await shell.handle(.releaseNow)
  }
}
