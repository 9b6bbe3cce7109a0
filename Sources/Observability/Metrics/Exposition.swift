/// What one process answers to a scrape: what its role recorded, what the system knows of the
/// process, and what was built.
public struct Exposition: Sendable {
  /// Of ``text()``.
  public static let contentType = PrometheusText.contentType

  static let buildInfo = MetricDescription.gauge(
    "rerankd_build_info", "Always 1: the program's version and the role that runs.",
    labels: ["role", "version"])

  private let registry: MetricsRegistry
  private let role: String
  private let version: String
  private let collect: @Sendable () async -> Void

  /// - Parameters:
  ///   - role: "queue", "worker" or "gateway".
  ///   - collect: has the role record what it records for scrapes alone.
  public init(
    _ registry: MetricsRegistry, role: String, version: String,
    collect: @escaping @Sendable () async -> Void = {}
  ) {
    self.registry = registry
    self.role = role
    self.version = version
    self.collect = collect
  }

  /// Prometheus' text format, ``contentType``.
  public func text() async -> String {
    await collect()
    let labels = [(name: "role", value: role), (name: "version", value: version)]
    return PrometheusText.write(
      registry.families() + ProcessFigures.families()
        + [MetricFamily(Self.buildInfo, 1, labels: labels)])
  }
}
