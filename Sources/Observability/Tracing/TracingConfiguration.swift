/// Whether and where spans go.
public struct TracingConfiguration: Sendable, Equatable {
  /// Of an OTLP/HTTP collector, without `/v1/traces`; nil: nothing is traced.
  public var endpoint: String?
  /// Of the traces that begin here; those that come in follow their parent's flag.
  public var sampleRatio = 1.0
  /// Spans held at once; more are dropped.
  public var spansMax = 8_192
  /// Spans of one request.
  public var batchMax = 512
  /// The longest that a span waits for others to leave with it.
  public var interval = Duration.seconds(2)
  public var requestTimeout = Duration.seconds(10)
  /// Tries of one batch; then its spans are given up.
  public var attemptsMax = 3

  public init() {}

  /// The first value that cannot work: its key and what is wanted there; nil when all is well.
  public var firstProblem: (key: String, message: String)? {
    if let endpoint, !endpoint.hasPrefix("http://"), !endpoint.hasPrefix("https://") {
      return ("otlp_endpoint", "must be an http or https URL, for example http://127.0.0.1:4318")
    }
    if !(0...1).contains(sampleRatio) { return ("sample_ratio", "must be from 0 to 1") }
    for (key, value) in [
      ("spans_max", spansMax), ("batch_max", batchMax), ("attempts_max", attemptsMax),
    ] where value < 1 {
      return (key, "must be at least 1")
    }
    if batchMax > spansMax { return ("batch_max", "must not exceed spans_max") }
    return nil
  }
}
