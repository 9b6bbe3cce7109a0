/// Every metric that a process of this package shows. The module's page lists the same ones; a test
/// holds both against what running processes show.
public enum MetricCatalogue {
  public static let all = queue + worker + gateway + process

  /// Of every role.
  public static let process =
    ProcessFigures.catalogue + [
      Exposition.buildInfo,
      MetricsRegistry.droppedSeries,
      .counter(
        "rerankd_tracing_spans_total",
        "Spans that were to be exported, by what became of them: exported, dropped (the buffer was "
          + "full) or failed (the collector did not take them).",
        labels: ["outcome"]),
    ]

  public static let gateway: [MetricDescription] = [
    .counter(
      "rerankd_gateway_requests_total", "Requests answered, by route and status.",
      labels: ["route", "status"]),
    .histogram(
      "rerankd_gateway_request_duration_seconds", "From a request's headers to its answer.",
      labels: ["route"], bounds: MetricsRegistry.defaultBounds),
    .gauge("rerankd_gateway_requests_in_flight", "Requests worked on now."),
    .gauge("rerankd_gateway_body_bytes", "Bytes of the bodies of the requests worked on now."),
  ]
}
