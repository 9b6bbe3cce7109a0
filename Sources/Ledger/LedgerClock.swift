import Dispatch
import Foundation

/// Wall time that cannot jump: what it was when the ledger was opened, and what has passed since on
/// a monotonic clock. A clock set forward by a year must not make retention remove a year of jobs.
struct LedgerClock: Sendable {
  private let wallMs: Int64
  private let openedNanoseconds = DispatchTime.now().uptimeNanoseconds
  private let openedDate = Date()

  init(wallMs: Int64) {
    self.wallMs = wallMs
  }

  var nowMs: Int64 { wallMs + elapsedMs }

  /// What ages are counted to. Rows carry the wall clock's time, so this follows that clock when it
  /// is set back: else what is stored from then on would look as old as the jump is long.
  var ageMs: Int64 {
    wallMs + min(elapsedMs, Int64(Date().timeIntervalSince(openedDate) * 1_000))
  }

  private var elapsedMs: Int64 {
    Int64((DispatchTime.now().uptimeNanoseconds - openedNanoseconds) / 1_000_000)
  }
}
