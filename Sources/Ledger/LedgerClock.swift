import Dispatch

/// Wall time that cannot jump: what it was when the ledger was opened, and what has passed since on
/// a monotonic clock. A clock set forward by a year must not make retention remove a year of jobs.
struct LedgerClock: Sendable {
  private let wallMs: Int64
  private let openedNanoseconds = DispatchTime.now().uptimeNanoseconds

  init(wallMs: Int64) {
    self.wallMs = wallMs
  }

  var nowMs: Int64 {
    wallMs + Int64((DispatchTime.now().uptimeNanoseconds - openedNanoseconds) / 1_000_000)
  }
}
