import CoreMetrics
import Logging
import Observability
import ServiceLifecycle
import Tracing

/// Where what a role's process tells goes: the one place that installs a metrics factory and a
/// tracer. To be made before the role.
struct ProcessObservation {
  private let registry = MetricsRegistry()
  private let exporter: SpanExporter?
  private let role: String
  private let logger: Logger

  /// - Parameter role: "queue", "worker" or "gateway".
  init(_ role: String, tracing: TracingConfiguration, logger: Logger) {
    self.role = role
    self.logger = logger
    MetricsSystem.bootstrap(registry)
    guard let endpoint = tracing.endpoint else {
      exporter = nil
      return
    }
    let buffer = SpanBuffer(
      spansMax: tracing.spansMax, batchMax: tracing.batchMax, metrics: registry)
    InstrumentationSystem.bootstrap(
      TraceRecorder(sampleRatio: tracing.sampleRatio, buffer: buffer))
    exporter = SpanExporter(
      tracing, endpoint: endpoint, service: "rerankd-\(role)", version: Rerankd.version,
      buffer: buffer, metrics: registry, logger: logger)
  }

  /// What runs beside the role, and ends after it.
  func services(
    _ listener: MetricsListenerConfiguration, health: RoleHealth,
    collect: @escaping @Sendable () async -> Void = {}
  ) -> [any Service] {
    let exposition = Exposition(
      registry, role: role, version: Rerankd.version, collect: collect)
    let shown: [any Service] = [
      MetricsListener(listener, exposition: exposition, health: health, logger: logger)
    ]
    return (exporter.map { [$0] } ?? []) + shown
  }

  /// Tells of the embedded engine's batches.
  var onBatch: @Sendable (_ pairs: Int, _ tokens: Int, _ tokensMax: Int) -> Void {
    let pairsOfBatch = Recorder(label: "rerankd_worker_batch_pairs", factory: registry)
    let fill = Recorder(label: "rerankd_worker_batch_fill_ratio", factory: registry)
    return { pairs, tokens, tokensMax in
      pairsOfBatch.record(pairs)
      fill.record(Double(tokens) / Double(max(tokensMax, 1)))
    }
  }
}
