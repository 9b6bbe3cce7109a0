import CoreMetrics
import Scoring
import Synchronization

/// What a worker tells of its work, through swift-metrics.
final class WorkerMetrics: Sendable {
  let factory: any MetricsFactory
  private let jobsRunning: Gauge
  private let outcomesDropped: Counter
  private let attached: Gauge
  private let detached: Counter
  /// One a model that the worker has served.
  private let models = Mutex<[String: ModelMetrics]>([:])
  private let permitsWaiting = Mutex<[String: Int]>([:])

  /// - Parameter queue: the endpoint of the worker's queue.
  init(_ factory: any MetricsFactory, queue: String) {
    self.factory = factory
    jobsRunning = Gauge(label: "rerankd_worker_jobs_running", factory: factory)
    outcomesDropped = Counter(label: "rerankd_worker_outcomes_dropped_total", factory: factory)
    let dimensions = [("queue", queue)]
    attached = Gauge(label: "rerankd_worker_attached", dimensions: dimensions, factory: factory)
    detached = Counter(
      label: "rerankd_worker_detached_total", dimensions: dimensions, factory: factory)
    attached.record(0)
  }

  func isAttached(_ isAttached: Bool) { attached.record(isAttached ? 1 : 0) }

  func wasDetached() {
    attached.record(0)
    detached.increment()
  }

  func dropped(outcomes: Int) { outcomesDropped.increment(by: outcomes) }

  func runs(jobs: Int) { jobsRunning.record(jobs) }

  func model(_ name: String, engine: String) -> ModelMetrics {
    models.withLock { models in
      if let known = models[name], known.engine == engine { return known }
      let metrics = ModelMetrics(name, engine: engine, factory)
      models[name] = metrics
      return metrics
    }
  }

  // MARK: Permits

  func waits(forBackend backend: String) { change(backend, by: 1) }

  func waited(forBackend backend: String, _ duration: Duration) {
    change(backend, by: -1)
    CoreMetrics.Timer(
      label: "rerankd_worker_permit_wait_seconds", dimensions: [("backend", backend)],
      factory: factory
    ).recordNanoseconds(duration.nanoseconds)
  }

  private func change(_ backend: String, by change: Int) {
    let gauge = Gauge(
      label: "rerankd_worker_permits_waiting", dimensions: [("backend", backend)],
      factory: factory)
    // Under the lock, so that the last of two says the last number.
    permitsWaiting.withLock { waiting in
      waiting[backend, default: 0] += change
      gauge.record(waiting[backend, default: 0])
    }
  }
}

/// Of one model: handlers that each attempt uses are kept.
struct ModelMetrics: Sendable {
  let engine: String
  private let name: String
  private let factory: any MetricsFactory
  private let attemptDuration: CoreMetrics.Timer
  private let engineDuration: CoreMetrics.Timer
  private let pairs: Counter
  private let scored: Counter
  private let failed: Counter
  private let truncated: Counter
  private let windows: Counter
  private let tokens: [TokenKind: Counter]

  private enum TokenKind: String, CaseIterable {
    case prompt
    case document
    case image
  }

  init(_ name: String, engine: String, _ factory: any MetricsFactory) {
    self.name = name
    self.engine = engine
    self.factory = factory
    func counter(_ metric: String, _ more: (String, String)...) -> Counter {
      Counter(label: metric, dimensions: [("model", name)] + more, factory: factory)
    }
    let ofEngine = [("engine", engine), ("model", name)]
    attemptDuration = CoreMetrics.Timer(
      label: "rerankd_worker_attempt_duration_seconds", dimensions: [("model", name)],
      factory: factory)
    engineDuration = CoreMetrics.Timer(
      label: "rerankd_worker_engine_duration_seconds", dimensions: ofEngine, factory: factory)
    pairs = Counter(label: "rerankd_worker_pairs_total", dimensions: ofEngine, factory: factory)
    scored = counter("rerankd_worker_documents_total", ("outcome", "scored"))
    failed = counter("rerankd_worker_documents_total", ("outcome", "failed"))
    truncated = counter("rerankd_worker_truncated_documents_total")
    windows = counter("rerankd_worker_windows_total")
    tokens = Dictionary(
      uniqueKeysWithValues: TokenKind.allCases.map {
        ($0, counter("rerankd_worker_tokens_total", ("kind", $0.rawValue)))
      })
  }

  /// - Parameter outcome: "ok", "cancelled", or the code's name in lower case.
  func attemptEnded(_ outcome: String, after duration: Duration) {
    attemptDuration.recordNanoseconds(duration.nanoseconds)
    Counter(
      label: "rerankd_worker_attempts_total", dimensions: [("model", name), ("outcome", outcome)],
      factory: factory
    ).increment()
  }

  func engineWorked(on pairCount: Int, for duration: Duration) {
    pairs.increment(by: pairCount)
    engineDuration.recordNanoseconds(duration.nanoseconds)
  }

  func succeeded(_ figures: ScoringPlan.Figures) {
    scored.increment(by: figures.scoredDocuments)
    failed.increment(by: figures.failedDocuments)
    truncated.increment(by: figures.truncatedDocuments)
    windows.increment(by: figures.windows)
    tokens[.prompt]?.increment(by: figures.promptTokens)
    tokens[.image]?.increment(by: figures.imageTokens)
    tokens[.document]?.increment(
      by: max(0, figures.totalTokens - figures.promptTokens - figures.imageTokens))
  }
}

extension Duration {
  /// Whole ones, at most those of 292 years.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return min(seconds, Int64.max / 1_000_000_000 - 1) * 1_000_000_000
      + attoseconds / 1_000_000_000
  }
}
