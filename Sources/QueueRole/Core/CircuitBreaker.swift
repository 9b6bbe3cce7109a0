/// Counts how a backend's requests end, and says when it is to rest and for how long.
///
/// It trips after so many failures in a row, or when so large a share of the last requests failed.
/// Each rest in a row is twice as long as the one before, up to a cap, with jitter of half of it,
/// so that the workers of several queues do not come back at the same moment.
struct CircuitBreaker {
  let settings: BreakerSettings
  private var failuresInARow = 0
  /// The latest ends, true for a failure, as a ring.
  private var latest: [Bool] = []
  private var next = 0
  private var failures = 0
  private var restsInARow = 0

  init(settings: BreakerSettings) {
    self.settings = settings
  }

  mutating func recordSuccess() {
    record(false)
    failuresInARow = 0
  }

  /// - Returns: whether the backend is to rest.
  mutating func recordFailure() -> Bool {
    record(true)
    failuresInARow += 1
    if failuresInARow >= settings.failuresInARowMax { return true }
    return latest.count >= settings.requestsMin
      && Double(failures) >= settings.failureShareMax * Double(latest.count)
  }

  /// What came before the rest is forgotten.
  mutating func nextRestMs(random: inout SplitMix64) -> Int64 {
    let doublings = Int64(min(restsInARow, 40))
    let (doubled, overflow) = settings.restMs.multipliedReportingOverflow(by: 1 << doublings)
    let fullMs = overflow ? settings.restCapMs : min(doubled, settings.restCapMs)
    restsInARow += 1
    forget()
    return max(1, Int64.random(in: (fullMs - fullMs / 2)...fullMs, using: &random))
  }

  /// The backend is back: the next rest is a short one.
  mutating func reset() {
    restsInARow = 0
    forget()
  }

  private mutating func forget() {
    failuresInARow = 0
    latest = []
    next = 0
    failures = 0
  }

  private mutating func record(_ failed: Bool) {
    if failed { failures += 1 }
    if latest.count < settings.requestsWindow {
      latest.append(failed)
    } else {
      if latest[next] { failures -= 1 }
      latest[next] = failed
      next = (next + 1) % latest.count
    }
  }
}
