/// Counts of durations up to each bound.
struct LatencyHistogram: Sendable {
  static let boundsSeconds = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]

  /// Of each bound, and of what is beyond the last.
  private var counts = [UInt64](repeating: 0, count: boundsSeconds.count + 1)
  private var sumSeconds = 0.0

  mutating func record(_ duration: Duration) {
    let seconds = duration / .seconds(1)
    let bucket = Self.boundsSeconds.firstIndex { seconds <= $0 } ?? Self.boundsSeconds.count
    counts[bucket] += 1
    sumSeconds += seconds
  }

  /// Prometheus' buckets are cumulative.
  func lines(name: String, labels: String) -> [String] {
    var total: UInt64 = 0
    var lines: [String] = []
    for (index, count) in counts.enumerated() {
      total += count
      let bound = index < Self.boundsSeconds.count ? "\(Self.boundsSeconds[index])" : "+Inf"
      lines.append(#"\#(name)_bucket{\#(labels),le="\#(bound)"} \#(total)"#)
    }
    lines.append("\(name)_sum{\(labels)} \(sumSeconds)")
    lines.append("\(name)_count{\(labels)} \(total)")
    return lines
  }
}
