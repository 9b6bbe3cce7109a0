internal import RerankdProtocol

/// Notices when the queue itself has not listened: its process was stopped, or its disk was so slow
/// that the loop could take in no more. A state machine without a clock.
///
/// Whoever seems silent then may have spoken: progress and heartbeats wait in the sockets, behind
/// libzmq's thread, which was stopped as well, or on a connection that their sender gave up and makes
/// anew. To read the sockets before the timers is therefore not enough, and to hold back the timers
/// would hold back deadlines, which are the clock's alone. So the loop first excuses everybody, as
/// a restart does: leases run for the grace of a worker that attaches anew at least, and peers count
/// as heard. While the queue stays deaf it does so again and again, so that nothing that hangs on
/// silence ends before there was time to listen.
struct Attention {
  private let lapseMs: Int64
  /// Until then the queue listened, or has excused everybody.
  private var coveredMs: Int64
  /// It did not listen before the wait that runs.
  private var isOverdue = false

  init(lapse: Duration, nowMs: Int64) {
    lapseMs = Int64(lapse.wholeMilliseconds)
    coveredMs = nowMs
  }

  /// The loop begins to wait for its sockets, at most until then.
  mutating func listens(fromMs: Int64, untilMs: Int64) {
    isOverdue = isOverdue || fromMs - coveredMs >= lapseMs
    coveredMs = max(coveredMs, untilMs)
  }

  /// The wait is over, or was none.
  /// - Returns: whether silence is to be excused before any timer is looked at.
  mutating func mustExcuse(nowMs: Int64) -> Bool {
    guard isOverdue || nowMs - coveredMs >= lapseMs else { return false }
    isOverdue = false
    coveredMs = max(coveredMs, nowMs)
    return true
  }
}
