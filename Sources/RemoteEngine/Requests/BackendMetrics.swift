import CoreMetrics

/// What is told of the requests to one backend, through swift-metrics.
struct BackendMetrics: Sendable {
  private let backend: String
  private let factory: any MetricsFactory
  private let duration: CoreMetrics.Timer

  init(backend: String, _ factory: any MetricsFactory) {
    self.backend = backend
    self.factory = factory
    duration = CoreMetrics.Timer(
      label: "rerankd_worker_backend_duration_seconds", dimensions: [("backend", backend)],
      factory: factory)
  }

  /// - Parameter status: nil where there was no answer.
  func ended(status: Int?, after elapsed: Duration) {
    let (seconds, attoseconds) = elapsed.components
    duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    Counter(
      label: "rerankd_worker_backend_responses_total",
      dimensions: [("backend", backend), ("status", status.map { "\($0)" } ?? "none")],
      factory: factory
    ).increment()
  }
}
