/// Intervals of means over queries, by resampling the queries with replacement. Efron and
/// Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: the percentile interval.
///
/// Two rankers are compared by the differences of their values query by query (the paired form).
/// The same seed draws the same samples for every list of the same length, on every machine.
public struct Bootstrap: Sendable {
  public static let defaultResamples = 10_000
  public static let resamplesMax = 10_000_000

  public let resamples: Int
  public let seed: UInt64
  /// The probability that an interval holds.
  public let confidence: Double

  /// - Throws: ``EvaluationError`` for a count or a confidence out of range.
  public init(
    resamples: Int = Self.defaultResamples, seed: UInt64 = 1, confidence: Double = 0.95
  ) throws(EvaluationError) {
    guard (1...Self.resamplesMax).contains(resamples), confidence > 0, confidence < 1 else {
      throw EvaluationError(
        code: .invalidSetting,
        message: "a bootstrap takes 1 to \(Self.resamplesMax) resamples and a confidence between "
          + "0 and 1")
    }
    self.resamples = resamples
    self.seed = seed
    self.confidence = confidence
  }

  /// A mean, and where it lies.
  public struct Estimate: Sendable, Equatable {
    public var mean: Double
    public var low: Double
    public var high: Double

    public init(mean: Double, low: Double, high: Double) {
      self.mean = mean
      self.low = low
      self.high = high
    }

    /// The interval lies on one side of 0.
    public var isSignificant: Bool { low > 0 || high < 0 }
  }

  /// The mean of the values and its interval; all 0 without values.
  public func estimate(_ values: [Double]) -> Estimate {
    guard !values.isEmpty else { return Estimate(mean: 0, low: 0, high: 0) }
    let count = Double(values.count)
    var generator = SampleGenerator(seed: seed)
    var means: [Double] = []
    means.reserveCapacity(resamples)
    for _ in 0..<resamples {
      var sum = 0.0
      for _ in 0..<values.count { sum += values[generator.next(below: values.count)] }
      means.append(sum / count)
    }
    means.sort()
    let tail = (1 - confidence) / 2
    return Estimate(
      mean: values.reduce(0, +) / count, low: Self.quantile(tail, of: means),
      high: Self.quantile(1 - tail, of: means))
  }

  /// Between the two nearest values, linearly (R's type 7).
  static func quantile(_ share: Double, of sorted: [Double]) -> Double {
    let position = share * Double(sorted.count - 1)
    let below = Int(position)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (position - Double(below)) * (sorted[above] - sorted[below])
  }
}

/// SplitMix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
/// The standard library's way from numbers to a range is not promised to stay; this one is.
private struct SampleGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next(below bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    mixed ^= mixed >> 31
    return Int(mixed.multipliedFullWidth(by: UInt64(bound)).high)
  }
}
