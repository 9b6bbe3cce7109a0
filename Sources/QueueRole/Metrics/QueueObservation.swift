internal import RerankdProtocol

/// How the queue is at one moment, as its loop says it: the loop fills it in, and others make
/// metrics of it, so that the loop never waits for them.
struct QueueObservation: Sendable {
  var status: StatusResponse
  /// Of the attached workers together.
  var creditJobs: Int
  var heldJobs: Int
  var turns: LoopTurns
}

/// What the loop's turns took, since the process started.
struct LoopTurns: Sendable {
  private(set) var count: UInt64 = 0
  private(set) var busyNanoseconds: UInt64 = 0
  /// Since it was last asked for.
  private(set) var longestNanoseconds: UInt64 = 0
  private var beganNanoseconds: UInt64 = 0

  /// The wait is over.
  mutating func begin(atNanoseconds now: UInt64) { beganNanoseconds = now }

  mutating func end(atNanoseconds now: UInt64) {
    let turn = now > beganNanoseconds ? now - beganNanoseconds : 0
    count += 1
    busyNanoseconds += turn
    longestNanoseconds = max(longestNanoseconds, turn)
  }

  /// For one observation.
  mutating func take() -> LoopTurns {
    defer { longestNanoseconds = 0 }
    return self
  }
}
