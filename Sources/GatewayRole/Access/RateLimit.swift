import Synchronization

/// A bucket of requests that fills evenly: so many a minute, and as many at once after a rest.
struct RateLimit: Sendable {
  private let perMinute: Int
  private var left: Double
  private var filledAt: ContinuousClock.Instant

  init(perMinute: Int, now: ContinuousClock.Instant) {
    self.perMinute = perMinute
    left = Double(perMinute)
    filledAt = now
  }

  /// Takes one request.
  ///
  /// - Returns: nil when it may go on; else how long until the next one may.
  mutating func take(now: ContinuousClock.Instant) -> Duration? {
    let perSecond = Double(perMinute) / 60
    left = min(Double(perMinute), left + (now - filledAt) / .seconds(1) * perSecond)
    filledAt = now
    guard left < 1 else {
      left -= 1
      return nil
    }
    return .seconds((1 - left) / perSecond)
  }

  /// Whether the token's line says the same still.
  func holds(perMinute: Int) -> Bool { self.perMinute == perMinute }
}

/// The limits of all tokens, by name.
final class RateLimits: Sendable {
  private let limits = Mutex<[String: RateLimit]>([:])

  func take(_ token: AccessToken, now: ContinuousClock.Instant = .now) -> Duration? {
    guard let perMinute = token.requestsPerMinute else { return nil }
    return limits.withLock { limits in
      var limit = limits[token.name] ?? RateLimit(perMinute: perMinute, now: now)
      if !limit.holds(perMinute: perMinute) { limit = RateLimit(perMinute: perMinute, now: now) }
      defer { limits[token.name] = limit }
      return limit.take(now: now)
    }
  }
}
