extension MetricCatalogue {
  public static let worker: [MetricDescription] = attempts + scoring + batches + backends + queues

  private static let durationBounds: [Double] = [
    0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
  ]

  private static let attempts: [MetricDescription] = [
    .gauge("rerankd_worker_jobs_running", "Jobs that the engines work on or wait with."),
    .counter(
      "rerankd_worker_attempts_total",
      "Attempts by model and outcome: ok, cancelled, or the code that they failed with.",
      labels: ["model", "outcome"]),
    .histogram(
      "rerankd_worker_attempt_duration_seconds", "From an assignment to its outcome.",
      labels: ["model"], bounds: durationBounds),
    .counter(
      "rerankd_worker_outcomes_dropped_total",
      "Outcomes given up because the queue was away for too long; their jobs run again."),
  ]

  private static let scoring: [MetricDescription] = [
    .histogram(
      "rerankd_worker_engine_duration_seconds", "How long an engine took for the pairs of one job.",
      labels: ["engine", "model"], bounds: durationBounds),
    .counter(
      "rerankd_worker_pairs_total", "Pairs of a query and a passage given to an engine.",
      labels: ["engine", "model"]),
    .counter(
      "rerankd_worker_documents_total", "Documents of jobs that succeeded: scored or failed.",
      labels: ["model", "outcome"]),
    .counter(
      "rerankd_worker_tokens_total",
      "Tokens scored, by kind: prompt (the query and what surrounds it, once a pair), document or "
        + "image.",
      labels: ["kind", "model"]),
    .counter(
      "rerankd_worker_truncated_documents_total", "Documents whose text was cut to fit.",
      labels: ["model"]),
    .counter(
      "rerankd_worker_windows_total", "Windows that long documents were scored in.",
      labels: ["model"]),
  ]

  private static let batches: [MetricDescription] = [
    .histogram(
      "rerankd_worker_batch_pairs", "Pairs of one batch of the embedded engine.",
      bounds: [1, 2, 4, 8, 16, 32, 64, 128]),
    .histogram(
      "rerankd_worker_batch_fill_ratio",
      "Tokens of one batch of the embedded engine, of those that a batch holds; a long document goes "
        + "alone and beyond 1.",
      bounds: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 2]),
  ]

  private static let backends: [MetricDescription] = [
    .counter(
      "rerankd_worker_backend_responses_total",
      "Requests to a backend by the HTTP status of the answer; none where there was no answer.",
      labels: ["backend", "status"]),
    .histogram(
      "rerankd_worker_backend_duration_seconds", "From a request to a backend to its whole answer.",
      labels: ["backend"], bounds: durationBounds),
    .histogram(
      "rerankd_worker_permit_wait_seconds", "How long a request waited for the queue's permit.",
      labels: ["backend"], bounds: durationBounds),
    .gauge(
      "rerankd_worker_permits_waiting", "Requests that wait for a permit.", labels: ["backend"]),
  ]

  private static let queues: [MetricDescription] = [
    .gauge(
      "rerankd_worker_attached", "1 while the worker is attached to a queue.", labels: ["queue"]),
    .counter(
      "rerankd_worker_detached_total", "Streams to a queue that ended before the worker did.",
      labels: ["queue"]),
  ]
}
