/// A limit of so many requests or tokens in any window of time, as the backend sees it.
///
/// A grant is used some time after it is given: at most `spreadMs` later (its validity, and what
/// the messages take). So what the backend sees in a window of `windowMs` was granted in a span of
/// at most L = `windowMs` + `spreadMs`, and no span of that length may hold grants of more than
/// `limit`.
///
/// A bucket does that. It holds up to B (`burst`) and fills at the rate r = (limit + 1 − B) / L. An
/// amount A ≤ B is granted when the bucket holds as much. Grants within a span shorter than L then
/// sum up to less than B + r·L = limit + 1 (what was in the bucket, and what flowed in), and
/// amounts are whole numbers: to at most the limit.
///
/// An amount A > B pays twice. Before: it waits for as long as a bucket without a brim would take
/// to hold A, and nothing is granted meanwhile; so grants of the span before it sum up to at most B
/// + r·L₁ − A. After: it is taken from a bucket of B, and leaves a debt of A − B, so the grants of
/// the span after it sum up to at most B − A + r·L₂, or to nothing. With A itself a span of L = L₁
/// + L₂ around it holds at most 2·B − A + r·L, which is below B + r·L. Only an amount beyond the
/// limit itself exceeds it, alone.
///
/// The bucket begins empty: whatever an earlier process of the queue granted, its bucket held no
/// less, so the windows across a restart hold to the limit too (but for a debt, which is
/// forgotten).
struct RateLimiter {
  let limit: Int
  private let burst: Double
  /// Per millisecond.
  private let rate: Double
  /// When the bucket was empty, had it filled ever since without a brim.
  private var emptyAtMs: Double

  /// - Parameter limit: at least 1.
  init(limit: Int, windowMs: Int64, spreadMs: Int64, nowMs: Int64) {
    self.limit = limit
    burst = Double(max(1, limit / Self.burstShare))
    rate = (Double(limit) + 1 - burst) / Double(windowMs + spreadMs)
    emptyAtMs = Double(nowMs)
  }

  /// The part of the limit that may go at once. A larger burst costs as much of the steady rate.
  private static var burstShare: Int { 10 }

  /// Sums of fractions err by less, and the spread has room for more.
  private static var roundingMs: Double { 0.001 }

  /// When so much may be taken, if nothing else is before.
  func readyAtMs(_ amount: Int) -> Int64 {
    Int64((emptyAtMs + Double(amount) / rate - Self.roundingMs).rounded(.up))
  }

  mutating func take(_ amount: Int, nowMs: Int64) {
    emptyAtMs = max(emptyAtMs, Double(nowMs) - burst / rate) + Double(amount) / rate
  }

  /// Of a grant that was not used: as if it had not been.
  mutating func giveBack(_ amount: Int) {
    emptyAtMs -= Double(amount) / rate
  }
}
