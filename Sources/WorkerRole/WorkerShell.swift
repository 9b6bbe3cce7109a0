import CallTransport
import CoreMetrics
import Foundation
import Logging
import RerankdProtocol
import Scoring
import SwiftProtobuf
import Synchronization
import TraceContext
import Tracing

/// Carries out what `WorkerSession` decides: tasks for jobs, messages on the stream, one timer.
actor WorkerShell {
  private let configuration: WorkerConfiguration
  private let engines: [any RerankEngine]
  private let queue: ConnectionConfiguration
  private let logger: Logger
  let metrics: WorkerMetrics
  private let tracer: any Tracer

  var session: WorkerSession
  let start = ContinuousClock.now
  private var timer: (wake: Duration, task: Task<Void, Never>)?

  /// What each engine said it serves; nil where it could not tell yet.
  private var engineModels: [[EngineModel]?]
  /// Which engine gets a model's jobs: of two that serve it, the first.
  private var servedModels: [String: AttemptRunner.ServedModel] = [:]
  private var runs: [LeaseRef: Task<Void, Never>] = [:]
  /// Requests that wait for leave to be sent.
  var permitWaiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]
  var lastPermit: UInt64 = 0
  private var stream: CallStream?
  private var outbox: Outbox?
  private var isAttached = false
  private var isFinished = false
  private let modelsKnown = AsyncStream<Void>.makeStream()
  private let finished = AsyncStream<Void>.makeStream()
  private let progress = AsyncStream<ProgressSignal>.makeStream()

  init(
    _ configuration: WorkerConfiguration, engines: [any RerankEngine],
    queue: ConnectionConfiguration, version: String, metrics: any MetricsFactory,
    tracer: any Tracer, logger: Logger
  ) {
    self.configuration = configuration
    self.metrics = WorkerMetrics(metrics, queue: "\(queue.endpoint)")
    self.tracer = tracer
    self.engines = engines
    self.queue = queue
    self.logger = logger
    engineModels = Array(repeating: nil, count: engines.count)
    session = WorkerSession(
      configuration: configuration, version: version, host: ProcessInfo.processInfo.hostName,
      processID: UInt32(clamping: ProcessInfo.processInfo.processIdentifier))
  }

  func run() async throws {
    let connection = try CallConnection(queue)
    // Outside of the group, which would wait for an engine that never answers.
    let learners = engines.indices.map { index in Task { await self.learnModels(of: index) } }
    let listeners = engines.map { engine in
      Task {
        for await backend in engine.renewedCredentials() {
          self.handle(.credentialsRenewed(backend: backend))
        }
      }
    }
    defer { for task in learners + listeners { task.cancel() } }
    await withTaskGroup { group in
      group.addTask { await self.keepAttached(connection) }
      group.addTask {
        for await signal in self.progress.stream {
          signal.take()
          await self.handle(.progress(signal.lease))
        }
      }
      for await _ in finished.stream { break }
      group.cancelAll()
      progress.continuation.finish()
    }
    await connection.close()
  }

  func handle(_ event: WorkerSession.Event) {
    if case .ended(let lease, _) = event { runs[lease] = nil }
    let dropped = session.outcomesDropped
    for action in session.handle(event, now: ContinuousClock.now - start) { perform(action) }
    metrics.runs(jobs: session.runningJobs)
    if session.outcomesDropped > dropped {
      metrics.dropped(outcomes: session.outcomesDropped - dropped)
      logger.warning(
        "gave up outcomes that the queue was not there to take; their jobs will run again",
        metadata: ["outcomes": "\(session.outcomesDropped)"])
    }
    setTimer()
  }

  func perform(_ action: WorkerSession.Action) {
    switch action {
    case .send(let message):
      outbox?.append(message)
    case .start(let assignment):
      let runner = AttemptRunner(
        configuration: configuration, models: servedModels, metrics: metrics, tracer: tracer)
      let signal = ProgressSignal(lease: assignment.lease, signals: progress.continuation)
      let admission = JobAdmission(shell: self, lease: assignment.lease)
      runs[assignment.lease] = Task {
        let end = await runner.run(assignment, admission: admission) { signal.report() }
        if case .failed(let failure) = end, !Task.isCancelled {
          self.logFailure(failure, assignment)
        }
        self.handle(.ended(assignment.lease, end))
      }
    case .cancel(let lease):
      runs.removeValue(forKey: lease)?.cancel()
    case .grant(let permit):
      permitWaiters.removeValue(forKey: permit)?.resume()
    case .refuse(let permit, let retryAfter, let reason):
      permitWaiters.removeValue(forKey: permit)?.resume(
        throwing: EngineError(
          code: .unavailable, message: "The backend takes nothing at the moment: \(reason)",
          isRetryable: true, retryAfter: retryAfter == .zero ? nil : retryAfter,
          spendsAttempt: false))
    case .finish:
      isFinished = true
      outbox?.finish()
      finished.continuation.finish()
    }
  }

  private func setTimer() {
    let wake = session.nextWake
    guard wake != timer?.wake else { return }
    timer?.task.cancel()
    timer = wake.map { wake in
      let due = start + wake
      return (
        wake,
        Task {
          guard (try? await Task.sleep(until: due)) != nil else { return }
          self.timer = nil
          self.handle(.tick)
        }
      )
    }
  }

  private func logFailure(_ failure: AttemptFailure, _ assignment: Assignment) {
    var metadata: Logger.Metadata = [
      "job_id": "\(JobID(rawValue: assignment.lease.jobID))",
      "attempt": "\(assignment.lease.attempt)", "model": "\(assignment.model)",
      "code": "\(StatusCode(wire: failure.status.code))",
    ]
    if let place = TraceParent(assignment.traceparent) { metadata["trace_id"] = "\(place.traceID)" }
    logger.info("attempt failed: \(failure.status.message)", metadata: metadata)
  }
}

extension WorkerShell {
  /// Whether the queue has it, so that jobs can come.
  var canTakeJobs: Bool { stream != nil && isAttached && !isFinished }
}

// The models.
extension WorkerShell {
  private func serve(_ models: [EngineModel], of index: Int) {
    engineModels[index] = models
    servedModels = [:]
    for (engine, models) in zip(engines, engineModels) {
      for model in models ?? [] where servedModels[model.name] == nil {
        servedModels[model.name] = .init(engine: engine, model: model)
      }
    }
    logger.info(
      "engine is ready",
      metadata: [
        "engine": "\(engines[index].name)",
        "models": "\(models.map(\.name).joined(separator: ", "))",
      ])
    modelsKnown.continuation.finish()
    // The queue learns models from an Attach alone.
    stream?.cancel()
  }

  /// Asks until the engine can tell. Its models are served from then on; jobs for models that
  /// nobody serves yet wait in the queue, and cost no attempts.
  private func learnModels(of index: Int) async {
    while !Task.isCancelled {
      do {
        let models = try await engines[index].models()
        if !models.isEmpty {
          serve(models, of: index)
          return
        }
        logger.warning(
          "engine has no models yet", metadata: ["engine": "\(engines[index].name)"])
      } catch {
        logger.warning(
          "engine cannot tell its models yet: \(error)",
          metadata: ["engine": "\(engines[index].name)"])
      }
      try? await Task.sleep(for: configuration.modelRefreshInterval)
    }
  }
}

// The stream.
extension WorkerShell {
  /// Attaches again and again until the worker is finished.
  private func keepAttached(_ connection: CallConnection) async {
    var failuresInARow = 0
    // Until an engine is ready there is nothing to attach for.
    for await _ in modelsKnown.stream { break }
    while !Task.isCancelled, !isFinished {
      let error = await attach(connection)
      if isFinished { return }
      failuresInARow = isAttached ? 1 : min(failuresInARow + 1, 30)
      isAttached = false
      if let error {
        logger.warning(
          "detached from the queue: \(error)", metadata: ["queue": "\(queue.endpoint)"])
      }
      try? await Task.sleep(for: backoff(after: failuresInARow, error))
    }
  }

  /// One stream, from its opening to its end.
  ///
  /// - Returns: why it ended; nil when the queue ended it well.
  private func attach(_ connection: CallConnection) async -> CallError? {
    let stream = connection.stream(.attach)
    let outbox = Outbox()
    let sender = Task {
      do {
        while let message = await outbox.next() {
          try await stream.send(try message.serializedBytes())
        }
        try await stream.finish()
      } catch {
        // The reader below hears why the stream ended.
        stream.cancel()
      }
    }
    self.stream = stream
    self.outbox = outbox
    handle(.connected(models: servedModels.keys.sorted()))
    var end: CallError?
    do {
      for try await bytes in stream.messages {
        let message = try QueueMessage(serializedBytes: bytes)
        if message.hasAttached {
          isAttached = true
          metrics.isAttached(true)
          logger.info(
            "attached to the queue",
            metadata: ["queue": "\(queue.endpoint)", "epoch": "\(message.attached.epoch)"])
        }
        handle(.received(message))
      }
    } catch let error as CallError {
      end = error
    } catch {
      end = CallError(.internal, "the queue sent a message that cannot be read: \(error)")
    }
    self.stream = nil
    self.outbox = nil
    outbox.finish()
    stream.cancel()
    await sender.value
    if isAttached, !isFinished { metrics.wasDetached() } else { metrics.isAttached(false) }
    handle(.disconnected)
    return end
  }

  private func backoff(after failures: Int, _ error: CallError?) -> Duration {
    // Another worker took this one's id: coming back soon would only throw that one out again.
    if error?.code == .aborted { return configuration.reattachBackoffMax }
    let ceiling = min(
      configuration.reattachBackoff * (1 << (failures - 1)), configuration.reattachBackoffMax)
    return ceiling * Double.random(in: 0...1)
  }
}

/// Progress of one job on its way to the session: however often the engine reports, at most one
/// signal waits.
final class ProgressSignal: Sendable {
  let lease: LeaseRef
  private let signals: AsyncStream<ProgressSignal>.Continuation
  private let isWaiting = Atomic(false)

  init(lease: LeaseRef, signals: AsyncStream<ProgressSignal>.Continuation) {
    self.lease = lease
    self.signals = signals
  }

  func report() {
    if !isWaiting.exchange(true, ordering: .acquiringAndReleasing) { signals.yield(self) }
  }

  func take() {
    isWaiting.store(false, ordering: .releasing)
  }
}
