public import CallTransport
public import CoreMetrics
public import Logging
public import Scoring
public import ServiceLifecycle
public import Tracing

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
  ///   - metrics: the process's factory by default; so with the tracer.
  /// - Throws: ``WorkerConfiguration/Invalid``.
  public init(
    _ configuration: WorkerConfiguration, engines: [any RerankEngine],
    queue: ConnectionConfiguration, version: String,
    metrics: any MetricsFactory = MetricsSystem.factory,
    tracer: any Tracer = InstrumentationSystem.tracer, logger: Logger
  ) throws {
    try configuration.validate()
    shell = WorkerShell(
      configuration, engines: engines, queue: queue, version: version, metrics: metrics,
      tracer: tracer, logger: logger)
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

  /// Whether the queue has it now: ready in the sense of those who start and watch processes.
  public var isAttached: Bool {
    get async { await shell.canTakeJobs }
  }

  /// Gives back every job in work without spending its attempt, and ends: for a second signal.
  public func releaseNow() async {
    await shell.handle(.releaseNow)
  }
}
