internal import CoreMetrics

/// Makes series of what a queue says of itself now and then: gauges take its values, counters what
/// its totals grew by. A series that it says nothing of any more is given back.
struct SeriesBook {
  private struct Key: Hashable {
    var name: String
    var labels: [String]
  }

  private enum Series {
    case gauge(Gauge)
    case counter(FloatingPointCounter, total: Double)
  }

  private let factory: any MetricsFactory
  private var series: [Key: Series] = [:]
  private var said: Set<Key> = []

  init(_ factory: any MetricsFactory) {
    self.factory = factory
  }

  mutating func gauge(_ name: String, _ value: Double) {
    gauge(name, [:], value)
  }

  mutating func gauge(_ name: String, _ labels: KeyValuePairs<String, String>, _ value: Double) {
    let key = say(name, labels)
    if case .gauge(let gauge)? = series[key] { return gauge.record(value) }
    let gauge = Gauge(label: name, dimensions: Array(labels).map { ($0, $1) }, factory: factory)
    gauge.record(value)
    series[key] = .gauge(gauge)
  }

  mutating func counter(_ name: String, _ total: Double) {
    counter(name, [:], total)
  }

  /// - Parameter total: since the process started.
  mutating func counter(_ name: String, _ labels: KeyValuePairs<String, String>, _ total: Double) {
    let key = say(name, labels)
    if case .counter(let counter, let known)? = series[key] {
      counter.increment(by: max(0, total - known))
      series[key] = .counter(counter, total: max(total, known))
    } else {
      let counter = FloatingPointCounter(
        label: name, dimensions: Array(labels).map { ($0, $1) }, factory: factory)
      counter.increment(by: total)
      series[key] = .counter(counter, total: total)
    }
  }

  /// Everything has been said.
  mutating func giveBackTheRest() {
    for (key, item) in series where !said.contains(key) {
      switch item {
      case .gauge(let gauge): gauge.destroy()
      case .counter(let counter, total: _): counter.destroy()
      }
      series[key] = nil
    }
    said.removeAll(keepingCapacity: true)
  }

  private mutating func say(_ name: String, _ labels: KeyValuePairs<String, String>) -> Key {
    let key = Key(name: name, labels: labels.map(\.value))
    said.insert(key)
    return key
  }
}
