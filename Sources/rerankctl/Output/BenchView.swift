/// What a measurement found, as it is printed.
struct BenchView: Encodable {
  /// That were asked for at once, at most.
  var concurrency: Int
  var jobs: Int
  var succeeded: Int
  var failed: Int
  /// Documents of the jobs that succeeded.
  var pairs: Int
  var durationMs: UInt64
  /// Of those that succeeded, as the latencies are.
  var jobsPerSecond: Double
  var pairsPerSecond: Double
  var latency: StatusView.QuantilesView?
  var errors: [BenchErrorView]

  init(_ tally: BenchTally, concurrency: Int, took duration: Duration) {
    let seconds = max(duration / .seconds(1), 0.000_001)
    self.concurrency = concurrency
    jobs = tally.count
    succeeded = tally.succeeded
    failed = tally.failed
    pairs = tally.pairs
    durationMs = Quantity.microseconds(duration) / 1_000
    jobsPerSecond = Double(tally.succeeded) / seconds
    pairsPerSecond = Double(tally.pairs) / seconds
    latency = tally.latency.map(StatusView.QuantilesView.init)
    errors = tally.errorViews
  }

  func text(palette: Palette) -> String {
    var facts: [(String, TextTable.Cell)] = [
      (
        "jobs",
        .init(
          "\(Quantity.count(succeeded)) of \(Quantity.count(jobs)) succeeded, "
            + "\(Quantity.count(concurrency)) at once, in "
            + Quantity.time(microseconds: durationMs * 1_000))
      ),
      (
        "a second",
        .init(
          "\(Quantity.rate(jobsPerSecond)) jobs, \(Quantity.rate(pairsPerSecond)) pairs")
      ),
    ]
    if let latency {
      let times = [
        ("p50", latency.p50Us), ("p90", latency.p90Us), ("p99", latency.p99Us),
        ("max", latency.maxUs),
      ]
      facts.append(
        (
          "latency",
          .init(
            times.map { "\($0) \(Quantity.time(microseconds: $1))" }.joined(separator: ", "))
        ))
    }
    for error in errors {
      facts.append(
        ("failed", .init("\(Quantity.count(error.count)) × \(error.code): \(error.message)", .bad)))
    }
    return FactSheet(styled: facts).text(palette: palette)
  }
}

/// Jobs that ended alike.
struct BenchErrorView: Encodable, Equatable {
  var code: String
  /// Of the first of them.
  var message: String
  var count: Int
}
