/// What people are told of one metric: its line in `/metrics`, in the dashboard's legend and in this
/// module's page.
public struct MetricDescription: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case counter
    case gauge
    case histogram
  }

  /// As Prometheus' conventions want it: base units, `_total` for counters.
  public var name: String
  public var kind: Kind
  public var help: String
  public var labels: [String]
  /// Upper bounds of a histogram's buckets, ascending, in the name's unit; empty for other kinds.
  public var bounds: [Double]

  public static func counter(
    _ name: String, _ help: String, labels: [String] = []
  ) -> MetricDescription {
    MetricDescription(name: name, kind: .counter, help: help, labels: labels, bounds: [])
  }

  public static func gauge(
    _ name: String, _ help: String, labels: [String] = []
  ) -> MetricDescription {
    MetricDescription(name: name, kind: .gauge, help: help, labels: labels, bounds: [])
  }

  public static func histogram(
    _ name: String, _ help: String, labels: [String] = [], bounds: [Double]
  ) -> MetricDescription {
    MetricDescription(name: name, kind: .histogram, help: help, labels: labels, bounds: bounds)
  }
}
