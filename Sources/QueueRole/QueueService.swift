internal import AccessKeys
public import CoreMetrics
internal import Foundation
internal import Ledger
public import Logging
public import ServiceLifecycle
internal import Synchronization
public import Tracing

/// The queue: producers' jobs go in, workers are given them, outcomes come out, and the ledger
/// remembers it all.
///
/// `QueueCore` decides, and knows neither clock nor socket nor file. Around it lies the shell, which
/// this service runs on a thread of its own (`QueueLoop`): it owns the ZeroMQ sockets and keeps the
/// connections and calls (`PeerTable`), has every message decoded and checked off the loop
/// (`CallDecoder`, `SubmissionValidator`), gathers the core's writes into batches of which one at a time is
/// with the ledger (`BatchPipeline`), and sends what depends on a batch when it is on disk.
///
/// Three more threads belong to it: the ledger's two and libzmq's.
public final class QueueService: Service {
  private enum State {
    case starting([CheckedContinuation<QueueEndpoints, any Error>])
    case ready(QueueEndpoints)
    case ended(any Error)
  }

  private let configuration: QueueConfiguration
  private let logger: Logger
  let metrics: QueueMetrics
  private let tracer: any Tracer
  let mailbox = LoopMailbox()
  private let state = Mutex(State.starting([]))

  /// - Parameter metrics: the process's factory by default; so with the tracer.
  public init(
    configuration: QueueConfiguration, metrics: any MetricsFactory = MetricsSystem.factory,
    tracer: any Tracer = InstrumentationSystem.tracer, logger: Logger
  ) {
    self.configuration = configuration
    self.metrics = QueueMetrics(metrics)
    self.tracer = tracer
    self.logger = logger
  }

  var isListening: Bool {
    state.withLock { if case .ready = $0 { true } else { false } }
  }

  /// What the queue is bound to; waits until it is.
  /// - Throws: why it did not start, or that it has ended.
  public var endpoints: QueueEndpoints {
    get async throws {
      try await withCheckedThrowingContinuation { continuation in
        let known: Result<QueueEndpoints, any Error>? = state.withLock { state in
          switch state {
          case .starting(let waiting):
            state = .starting(waiting + [continuation])
            return nil
          case .ready(let endpoints): return .success(endpoints)
          case .ended(let error): return .failure(error)
          }
        }
        if let known { continuation.resume(with: known) }
      }
    }
  }

  /// Takes a new configuration while the queue runs, as far as that can be done: limits of admission,
  /// defaults of jobs, leases, retries, replies, and the limits and rests of backends. One that
  /// cannot work changes nothing.
  public func reconfigure(_ new: QueueConfiguration) {
    if let (key, message) = new.firstProblem {
      logger.error("the new configuration is not taken: \(key): \(message)")
    } else {
      mailbox.post(.configured(new))
    }
  }

  /// Runs until a graceful shutdown, or until the task is cancelled: then new calls are refused, what
  /// was taken in is answered, every call that still waits ends with UNAVAILABLE, so that clients and
  /// workers come back to the next process, and the ledger is closed.
  ///
  /// To be called once.
  /// - Throws: `QueueError` when the configuration cannot work, the ledger cannot be opened or a socket
  ///   cannot be bound. A ledger that fails later ends the process.
  public func run() async throws {
    do {
      try await withTaskCancellationHandler {
        try await withGracefulShutdownHandler {
          try await runOnThread()
        } onGracefulShutdown: { [mailbox] in
          mailbox.post(.shutDown)
        }
      } onCancel: { [mailbox] in
        mailbox.post(.shutDown)
      }
      settle(.failure(QueueError(.socket, "the queue has ended")))
    } catch {
      settle(.failure(error))
      throw error
    }
  }

  private func runOnThread() async throws {
    try await withCheckedThrowingContinuation { continuation in
      let thread = Thread {
        continuation.resume(with: Result { try self.runLoop() })
      }
      thread.name = "queue"
      thread.start()
    }
  }

  /// The whole life of the queue. The ledger comes first: its lock keeps a second queue out, and its
  /// epoch is on disk before a socket is bound.
  private func runLoop() throws {
    if let (key, message) = configuration.firstProblem {
      throw QueueError(.configuration, "\(key): \(message)")
    }
    let (ledger, recovered) = try openLedger()
    defer { ledger.close() }
    var clock = LoopClock()
    let core = QueueCore(
      configuration: configuration, recovered: recovered, shard: configuration.shard,
      moment: clock.moment(atMs: LoopClock.monotonicMs))
    let keys = try authorizedKeys()
    let sockets: QueueSockets
    do {
      sockets = try QueueSockets(configuration.shell)
    } catch let error as QueueError {
      throw error
    } catch {
      throw QueueError(.socket, "the queue cannot listen", underlying: error)
    }
    let loop = QueueLoop(
      configuration, core: core, ledger: ledger, sockets: sockets, keys: keys, mailbox: mailbox,
      logger: logger, metrics: metrics, tracer: tracer)
    let endpoints = sockets.endpoints
    logger.notice(
      "queue ready",
      metadata: [
        "producers": "\(endpoints.producers)", "workers": "\(endpoints.workers)",
        "bare": "\(endpoints.bare ?? "none")", "ledger": "\(configuration.ledger.path)",
        "shard": "\(configuration.shard)", "epoch": "\(recovered.epoch)",
        "live_jobs": "\(recovered.liveJobs.count)",
      ])
    settle(.success(endpoints))
    do {
      try loop.run()
    } catch {
      throw QueueError(.socket, "the queue's sockets failed", underlying: error)
    }
    logger.notice("queue stopped")
  }

  private func openLedger() throws(QueueError) -> (Ledger, RecoveredLedger) {
    do {
      return try Ledger.open(
        configuration.ledger, shard: configuration.shard, wallMs: LoopClock.wallMs)
    } catch {
      throw QueueError(
        .ledger, "the ledger \(configuration.ledger.path) cannot be opened", underlying: error)
    }
  }

  private func authorizedKeys() throws(QueueError) -> (watch: KeyWatch, first: AuthorizedKeys)? {
    guard let path = configuration.shell.authorizedKeysPath else { return nil }
    do {
      var watch = KeyWatch(
        AuthorizedKeysFile(path, keysMax: configuration.shell.authorizedKeysMax))
      let keys = try watch.read()
      return (watch, keys)
    } catch {
      throw QueueError(.configuration, "shell.authorizedKeysPath", underlying: error)
    }
  }

  private func settle(_ result: Result<QueueEndpoints, any Error>) {
    let waiting = state.withLock { state in
      defer {
        switch result {
        case .success(let endpoints): state = .ready(endpoints)
        case .failure(let error): state = .ended(error)
        }
      }
      if case .starting(let waiting) = state { return waiting }
      return []
    }
    for continuation in waiting { continuation.resume(with: result) }
  }
}
