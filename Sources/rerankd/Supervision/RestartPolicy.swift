/// How long a supervised process waits before it is started again: exponential backoff that a run of
/// ``settledAfter`` resets. Pure: the caller brings the times.
struct RestartPolicy: Sendable, Equatable {
  var first: Duration = .milliseconds(200)
  var longest: Duration = .seconds(30)
  /// A process that ran this long was well: its next failure counts as the first.
  var settledAfter: Duration = .seconds(60)
  /// Ends in a row, none after a run that counts as well.
  private(set) var failures = 0

  init() {}

  /// Call when a process ended that should have gone on.
  mutating func pause(afterRunOf run: Duration) -> Duration {
    failures = run >= settledAfter ? 1 : failures + 1
    // 2^20 times any sensible `first` is beyond `longest`; the bound keeps the shift defined.
    return min(longest, first * (1 << min(failures - 1, 20)))
  }
}
