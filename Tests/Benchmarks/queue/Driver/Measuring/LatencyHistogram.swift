/// Counts latencies in buckets that are at most 1/32 of their value wide, so that millions of them
/// take a few kilobytes and a percentile is off by 3 % at most.
struct LatencyHistogram: Sendable {
  private static let subBucketBits = 5

  private var counts = [Int](repeating: 0, count: 64 << subBucketBits)
  private(set) var count = 0

  mutating func record(nanoseconds: Int64) {
    counts[Self.bucket(of: UInt64(max(nanoseconds, 0)))] += 1
    count += 1
  }

  mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] += other.counts[index] }
    count += other.count
  }

  /// The middle of the bucket below which this share (0 to 1) of the latencies lies; nil when
  /// nothing was recorded.
  func milliseconds(atShare share: Double) -> Double? {
    guard count > 0 else { return nil }
    let rank = max(1, Int((Double(count) * share).rounded(.up)))
    var seen = 0
    for (index, inBucket) in counts.enumerated() {
      seen += inBucket
      if seen >= rank { return Self.middle(of: index) / 1e6 }
    }
    return nil
  }

  /// Values below 32 have a bucket each; above, every power of two is cut into 32.
  private static func bucket(of value: UInt64) -> Int {
    let magnitude = UInt64.bitWidth - value.leadingZeroBitCount
    guard magnitude > subBucketBits else { return Int(value) }
    let shift = magnitude - subBucketBits - 1
    return (shift << subBucketBits) + Int(value >> UInt64(shift))
  }

  private static func middle(of bucket: Int) -> Double {
    let subBuckets = 1 << subBucketBits
    guard bucket >= 2 * subBuckets else { return Double(bucket) }
    let shift = (bucket >> subBucketBits) - 1
    let low = UInt64(bucket - (shift << subBucketBits)) << UInt64(shift)
    return Double(low) + Double(UInt64(1) << UInt64(shift)) / 2
  }
}
