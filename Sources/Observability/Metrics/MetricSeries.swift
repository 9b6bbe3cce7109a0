import CoreMetrics
import Synchronization

/// The label values that make one series of a metric's.
struct SeriesLabels: Hashable, Sendable {
  /// Sorted by name; of two of one name the first.
  let pairs: [[String]]

  init(_ dimensions: [(String, String)]) {
    var names: Set<String> = []
    pairs = dimensions.filter { names.insert($0.0).inserted }.map { [$0.0, $0.1] }
      .sorted { $0[0] < $1[0] }
  }

  var labels: [(name: String, value: String)] { pairs.map { ($0[0], $0[1]) } }
}

struct SeriesKey: Sendable {
  let name: String
  let labels: SeriesLabels
}

protocol MetricSeries: AnyObject, Sendable {
  var key: SeriesKey { get }
  var value: MetricFamily.Value { get }
}

final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
  let key: SeriesKey
  private let total = Mutex(0.0)

  init(_ key: SeriesKey) { self.key = key }

  var value: MetricFamily.Value { .number(total.withLock { $0 }) }

  /// A counter never goes down but at its reset.
  func increment(by amount: Int64) { increment(by: Double(amount)) }

  func increment(by amount: Double) {
    guard amount > 0, amount.isFinite else { return }
    total.withLock { $0 += amount }
  }

  func reset() { total.withLock { $0 = 0 } }
}

final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
  let key: SeriesKey
  private let current = Mutex(0.0)

  init(_ key: SeriesKey) { self.key = key }

  var value: MetricFamily.Value { .number(current.withLock { $0 }) }

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { current.withLock { $0 = value } }
  func increment(by amount: Double) { current.withLock { $0 += amount } }
  func decrement(by amount: Double) { current.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
}

final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler {
  private struct Buckets {
    /// Of each bound, and of what is beyond the last; not cumulative.
    var counts: [UInt64]
    var sum = 0.0
  }

  let key: SeriesKey
  private let bounds: [Double]
  private let buckets: Mutex<Buckets>

  init(_ key: SeriesKey, bounds: [Double]) {
    self.key = key
    self.bounds = bounds
    buckets = Mutex(Buckets(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  var value: MetricFamily.Value {
    let buckets = buckets.withLock { $0 }
    return .histogram(bounds: bounds, counts: buckets.counts, sum: buckets.sum)
  }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    guard !value.isNaN else { return }
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    buckets.withLock { buckets in
      buckets.counts[bucket] += 1
      buckets.sum += value
    }
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}
