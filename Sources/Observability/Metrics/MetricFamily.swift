/// One metric with its series, as it is now.
struct MetricFamily: Sendable {
  enum Value: Sendable, Equatable {
    case number(Double)
    /// Counts of each bound and of what is beyond the last, not cumulative.
    case histogram(bounds: [Double], counts: [UInt64], sum: Double)
  }

  struct Sample: Sendable {
    var labels: [(name: String, value: String)]
    var value: Value
  }

  var description: MetricDescription
  var samples: [Sample]
}

extension MetricFamily {
  /// A metric of one series.
  init(
    _ description: MetricDescription, _ value: Double,
    labels: [(name: String, value: String)] = []
  ) {
    self.init(
      description: description, samples: [Sample(labels: labels, value: .number(value))])
  }
}
