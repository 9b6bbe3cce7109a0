internal import Glibc

/// The core's time and randomness.
struct LoopClock {
  /// A system call for each input would be too much, and what the seeds are for, jitter, needs no
  /// secrecy.
  private var random = SplitMix64(seed: .random(in: .min ... .max))

  static var monotonicMs: Int64 { milliseconds(CLOCK_MONOTONIC) }
  static var monotonicNanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
  static var wallMs: Int64 { milliseconds(CLOCK_REALTIME) }

  mutating func moment(atMs monotonicMs: Int64) -> Moment {
    Moment(monotonicMs: monotonicMs, wallMs: Self.wallMs, seed: random.next())
  }

  private static func milliseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
