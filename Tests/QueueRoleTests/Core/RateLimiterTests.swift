import Testing

@testable import QueueRole

/// What a backend sees in a window never exceeds the limit, however late in their validity permits
/// are used.
@Suite struct RateLimiterTests {
  private static let windowMs: Int64 = 60_000
  private static let spreadMs: Int64 = 4_000

  /// Grants as soon as the limiter allows, with idle times in between; each is used at a random
  /// moment before its spread is over.
  private func uses(
    limit: Int, seed: UInt64, amounts: ClosedRange<Int>, horizonMs: Int64
  ) -> [(atMs: Int64, amount: Int)] {
    var random = SplitMix64(seed: seed)
    var nowMs: Int64 = 1_000
    var limiter = RateLimiter(
      limit: limit, windowMs: Self.windowMs, spreadMs: Self.spreadMs, nowMs: nowMs)
    var uses: [(Int64, Int)] = []
    while nowMs < horizonMs {
      let amount = Int.random(in: amounts, using: &random)
      nowMs = max(nowMs, limiter.readyAtMs(amount))
      limiter.take(amount, nowMs: nowMs)
      if Int.random(in: 0..<10, using: &random) == 0 {
        limiter.giveBack(amount)
      } else {
        uses.append((nowMs + Int64.random(in: 0..<Self.spreadMs, using: &random), amount))
      }
      if Int.random(in: 0..<50, using: &random) == 0 {
        nowMs += Int64.random(in: 0...200_000, using: &random)
      }
    }
    return uses.sorted { $0.0 < $1.0 }
  }

  private func most(_ uses: [(atMs: Int64, amount: Int)]) -> Int {
    var (first, sum, most) = (0, 0, 0)
    for use in uses {
      sum += use.amount
      while uses[first].atMs < use.atMs - Self.windowMs {
        sum -= uses[first].amount
        first += 1
      }
      most = max(most, sum)
    }
    return most
  }

  @Test(arguments: [1, 2, 3, 7, 19, 20, 60, 1_000, 3_001], 1...4 as ClosedRange<UInt64>)
  func requestsInAnyWindowStayWithinTheLimit(limit: Int, seed: UInt64) {
    let uses = uses(limit: limit, seed: seed, amounts: 1...1, horizonMs: 3_600_000)
    #expect(most(uses) <= limit)
    #expect(!uses.isEmpty)
  }

  /// Amounts up to the limit itself: far more than the burst.
  @Test(arguments: [10, 100, 5_000], 1...8 as ClosedRange<UInt64>)
  func tokensInAnyWindowStayWithinTheLimit(limit: Int, seed: UInt64) {
    for share in [20, 5, 2, 1] {
      let amounts = 1...max(1, limit / share)
      let uses = uses(limit: limit, seed: seed, amounts: amounts, horizonMs: 7_200_000)
      #expect(most(uses) <= limit, "amounts \(amounts)")
    }
  }

  @Test func steadyRequestsComeNearTheLimit() {
    var limiter = RateLimiter(
      limit: 600, windowMs: Self.windowMs, spreadMs: Self.spreadMs, nowMs: 0)
    var nowMs: Int64 = 0
    var count = 0
    while nowMs < 600_000 {
      nowMs = max(nowMs, limiter.readyAtMs(1))
      limiter.take(1, nowMs: nowMs)
      count += 1
    }
    // Nine tenths, less the spread's share.
    #expect(count > 600 * 10 * 8 / 10)
  }

  @Test func largeAmountGoesAloneAndLeavesADebt() {
    var limiter = RateLimiter(
      limit: 100, windowMs: Self.windowMs, spreadMs: Self.spreadMs, nowMs: 0)
    let readyMs = limiter.readyAtMs(100)
    #expect(readyMs > 60_000)
    limiter.take(100, nowMs: readyMs)
    #expect(limiter.readyAtMs(1) - readyMs > 60_000)
  }

  @Test func beginsEmptyAndFillsToTheBurst() {
    var limiter = RateLimiter(
      limit: 100, windowMs: Self.windowMs, spreadMs: Self.spreadMs, nowMs: 5_000)
    #expect(limiter.readyAtMs(1) > 5_000)
    for _ in 0..<10 {
      #expect(limiter.readyAtMs(1) <= 500_000)
      limiter.take(1, nowMs: 500_000)
    }
    #expect(limiter.readyAtMs(1) > 500_000)
  }
}
