import Dispatch
import Foundation
import Synchronization

/// Wall time that cannot jump: what it was when the ledger was opened, and what has passed since on
/// a monotonic clock. A clock set forward by a year must not make retention remove a year of jobs.
final class LedgerClock: Sendable {
  private let wallMs: Int64
  private let openedNanoseconds = DispatchTime.now().uptimeNanoseconds
  private let openedDate = Date()
  private let ages: Mutex<AgeClock>

  init(wallMs: Int64) {
    self.wallMs = wallMs
    ages = Mutex(AgeClock(wallMs: wallMs, monotonicMs: 0))
  }

  var nowMs: Int64 { wallMs + elapsedMs }

  /// What retention counts ages to.
  var ageMs: Int64 {
    let passedMs = Int64(Date().timeIntervalSince(openedDate) * 1_000)
    let monotonicMs = elapsedMs
    return ages.withLock {
      $0.advance(wallMs: wallMs + passedMs, monotonicMs: monotonicMs)
    }
  }

  private var elapsedMs: Int64 {
    Int64((DispatchTime.now().uptimeNanoseconds - openedNanoseconds) / 1_000_000)
  }
}

/// The time to which ages of rows are counted, which carry the wall clock's time. It goes back with
/// that clock, and forward no faster than time passes: so nothing ever looks older than it is, for
/// the wall clock was never behind this one when it stamped a row.
struct AgeClock: Sendable {
  private var ageMs: Int64
  private var wallMs: Int64
  private var monotonicMs: Int64

  init(wallMs: Int64, monotonicMs: Int64) {
    ageMs = wallMs
    self.wallMs = wallMs
    self.monotonicMs = monotonicMs
  }

  mutating func advance(wallMs: Int64, monotonicMs: Int64) -> Int64 {
    ageMs += min(wallMs - self.wallMs, monotonicMs - self.monotonicMs)
    self.wallMs = wallMs
    self.monotonicMs = monotonicMs
    return ageMs
  }
}
