import Synchronization

/// Calls back when deadlines pass, for any number of them with hardly any timers.
///
/// A `Task.sleep` that is cancelled leaves its timer behind until it would have fired. With one sleep
/// a job, a busy worker would keep the timers of all jobs of the last minutes; here a task sleeps
/// only when a deadline comes before all that are awaited already.
final class Deadlines: Sendable {
  typealias Instant = ContinuousClock.Instant

  static let shared = Deadlines()

  struct Ticket: Sendable {
    fileprivate let number: UInt64
  }

  private struct State {
    var awaited: [UInt64: (due: Instant, action: @Sendable () -> Void)] = [:]
    var lastNumber: UInt64 = 0
    /// When the next sleeper wakes: no later than the earliest deadline.
    var wake: Instant?
  }

  private let state = Mutex(State())

  /// - Parameter action: called once, from any thread, unless the ticket is given back before.
  func call(
    at due: Instant, _ action: @escaping @Sendable () -> Void
  ) -> Ticket {
    let (ticket, sleeps) = state.withLock { state in
      state.lastNumber += 1
      state.awaited[state.lastNumber] = (due, action)
      let sleeps = state.wake.map { due < $0 } ?? true
      if sleeps { state.wake = due }
      return (Ticket(number: state.lastNumber), sleeps)
    }
    if sleeps { sleep(until: due) }
    return ticket
  }

  func cancel(_ ticket: Ticket) {
    state.withLock { _ = $0.awaited.removeValue(forKey: ticket.number) }
  }

  private func sleep(until wake: Instant) {
    Task {
      try? await Task.sleep(until: wake)
      passed(wake)
    }
  }

  private func passed(_ wake: Instant) {
    let (actions, next) = state.withLock { state -> ([@Sendable () -> Void], Instant?) in
      // One that an earlier deadline has overtaken: another sleeper does its work.
      guard state.wake == wake else { return ([], nil) }
      let due = state.awaited.filter { $0.value.due <= wake }
      for number in due.keys { state.awaited[number] = nil }
      state.wake = state.awaited.values.map(\.due).min()
      return (due.values.map(\.action), state.wake)
    }
    for action in actions { action() }
    if let next { sleep(until: next) }
  }
}
