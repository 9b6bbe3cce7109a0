/// Waits with full jitter: each is random up to a ceiling that doubles.
struct Backoff: Sendable {
  private var bound: Duration
  private let base: Duration
  private let ceiling: Duration

  init(base: Duration, ceiling: Duration) {
    self.base = base
    self.ceiling = ceiling
    bound = base
  }

  mutating func next() -> Duration {
    defer { bound = min(bound * 2, ceiling) }
    return bound * Double.random(in: 0...1)
  }

  mutating func reset() {
    bound = base
  }
}
