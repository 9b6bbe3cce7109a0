public import CoreMetrics
import Synchronization

/// Keeps what the roles count and measure through swift-metrics, for `/metrics` to show: the
/// process's `MetricsFactory`.
///
/// A metric has at most ``Limits/seriesPerMetricMax`` combinations of label values. One more is
/// taken, counted nowhere and shown nowhere, and `rerankd_metrics_series_dropped_total` says so:
/// a name that a client may choose must not make the process's memory its own.
///
/// Recording takes one short lock of one series; looking a series up takes the registry's. Whoever
/// records often keeps its handlers.
public final class MetricsRegistry: MetricsFactory, Sendable {
  public struct Limits: Sendable, Equatable {
    public var metricsMax = 512
    /// Of one metric.
    public var seriesPerMetricMax = 1_000

    public init() {}
  }

  /// For histograms that the catalogue does not describe, in seconds.
  static let defaultBounds: [Double] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]
  static let droppedSeries = MetricDescription.counter(
    "rerankd_metrics_series_dropped_total",
    "Series that were asked for beyond a metric's limit and are not shown.")

  private struct Family {
    var description: MetricDescription
    var series: [SeriesLabels: any MetricSeries] = [:]
  }

  private struct State {
    var families: [String: Family] = [:]
    var dropped = 0
  }

  private let limits: Limits
  private let described: [String: MetricDescription]
  private let state = Mutex(State())

  /// - Parameter catalogue: what is known of metrics by their names. Others are shown with what their
  ///   use tells of them.
  public init(catalogue: [MetricDescription] = MetricCatalogue.all, limits: Limits = Limits()) {
    self.limits = limits
    described = Dictionary(catalogue.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public func makeCounter(
    label: String, dimensions: [(String, String)]
  ) -> any CounterHandler {
    series(label, .counter, dimensions) { CounterSeries($0) }
  }

  public func makeFloatingPointCounter(
    label: String, dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    series(label, .counter, dimensions) { CounterSeries($0) }
  }

  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    series(label, .gauge, dimensions) { GaugeSeries($0) }
  }

  public func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    guard aggregate else { return series(label, .gauge, dimensions) { GaugeSeries($0) } }
    return series(label, .histogram, dimensions) { [self] in
      HistogramSeries($0, bounds: bounds(label))
    }
  }

  /// The recorded nanoseconds are shown as seconds.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    series(label, .histogram, dimensions) { [self] in HistogramSeries($0, bounds: bounds(label)) }
  }

  public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
    destroy(handler)
  }
  public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
  public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
  public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

  /// Everything that is known now, by name.
  func families() -> [MetricFamily] {
    let state = state.withLock { $0 }
    var families = state.families.values.map { family in
      MetricFamily(
        description: family.description,
        samples: family.series.map { MetricFamily.Sample(labels: $0.labels, value: $1.value) })
    }
    families.append(MetricFamily(Self.droppedSeries, Double(state.dropped)))
    return families
  }

  private func bounds(_ name: String) -> [Double] {
    described[name].flatMap { $0.bounds.isEmpty ? nil : $0.bounds } ?? Self.defaultBounds
  }

  private func series<Series: MetricSeries>(
    _ name: String, _ kind: MetricDescription.Kind, _ dimensions: [(String, String)],
    _ make: (SeriesKey) -> Series
  ) -> Series {
    let labels = SeriesLabels(dimensions)
    let key = SeriesKey(name: name, labels: labels)
    return state.withLock { state in
      if let known = state.families[name]?.series[labels] as? Series { return known }
      let series = make(key)
      guard takes(name, kind, state) else {
        state.dropped += 1
        return series
      }
      let description =
        described[name]
        ?? MetricDescription(
          name: name, kind: kind, help: "Not described.", labels: [], bounds: [])
      state.families[name, default: Family(description: description)].series[labels] = series
      return series
    }
  }

  /// One name stands for one kind, whoever uses it first.
  private func takes(_ name: String, _ kind: MetricDescription.Kind, _ state: State) -> Bool {
    guard let family = state.families[name] else {
      return state.families.count < limits.metricsMax
        && described[name].map { $0.kind == kind } ?? true
    }
    return family.description.kind == kind && family.series.count < limits.seriesPerMetricMax
  }

  private func destroy(_ handler: AnyObject) {
    guard let series = handler as? any MetricSeries else { return }
    let key = series.key
    state.withLock { state in
      guard state.families[key.name]?.series[key.labels] === series else { return }
      state.families[key.name]?.series[key.labels] = nil
    }
  }
}
