/// How long a job waits between two attempts: exponential backoff with full jitter, never less than
/// the backend asked for.
struct RetryPolicy {
  var baseMs: Int64
  var capMs: Int64

  /// - Parameters:
  ///   - attempt: how many attempts were spent, from 1.
  ///   - isBudgetSpent: too many attempts fail of late: every retry is drawn from the longest
  ///   window.
  func delayMs(
    attempt: UInt32, isBudgetSpent: Bool, retryAfterMs: Int64?, random: inout SplitMix64
  ) -> Int64 {
    let doublings = Int64(min(max(attempt, 1) - 1, 40))
    let (window, overflow) = baseMs.multipliedReportingOverflow(by: 1 << doublings)
    let windowMs = isBudgetSpent || overflow ? capMs : min(window, capMs)
    return max(Int64.random(in: 0...windowMs, using: &random), retryAfterMs ?? 0)
  }
}

/// gRPC's retry budget (proposal A6), kept per model. There a spent budget drops retries; a job in
/// a ledger must not be dropped, so here it lengthens them: while half or more of the tokens are
/// gone, a retry waits out of the longest backoff window, and a failing backend sees few of them.
struct RetryBudget {
  private let tokensMax: Double
  private let ratio: Double
  private var tokens: Double

  init(tokensMax: Double, ratio: Double) {
    self.tokensMax = tokensMax
    self.ratio = ratio
    tokens = tokensMax
  }

  var isSpent: Bool { tokens <= tokensMax / 2 }

  mutating func recordFailure() { tokens = max(0, tokens - 1) }
  mutating func recordSuccess() { tokens = min(tokensMax, tokens + ratio) }
}

/// The generator of Steele, Lea and Flood (2014): any seed is good, and 64 bits of state are enough
/// for the jitter of one `apply`.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
