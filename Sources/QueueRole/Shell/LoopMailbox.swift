internal import Ledger
internal import Synchronization
internal import ZeroMQ

/// What other threads tell the loop.
enum LoopEvent: Sendable {
  case durable(UInt64)
  case read(ticket: UInt64, LedgerReadResult)
  case performed(ReadTicket, LedgerTaskResult)
  case validated([IntakeResult])
  case configured(QueueConfiguration)
  /// Somebody wants to know how the queue is.
  case observe(@Sendable (QueueObservation) -> Void)
  case shutDown
}

/// Bounded by what the loop has asked for: it gets one answer for each batch, read and item that it
/// handed over.
final class LoopMailbox: Sendable {
  private struct State {
    var events: [LoopEvent] = []
    var wakeUp: WakeUp?
  }

  private let state = Mutex(State())

  func post(_ event: LoopEvent) {
    let wakeUp = state.withLock { state in
      state.events.append(event)
      return state.wakeUp
    }
    wakeUp?.signal()
  }

  /// The loop waits on this from now on; what came before is there already.
  func wake(by wakeUp: WakeUp) {
    state.withLock { $0.wakeUp = wakeUp }
  }

  func take() -> [LoopEvent] {
    state.withLock { state in
      guard !state.events.isEmpty else { return [] }
      defer { state.events = [] }
      return state.events
    }
  }
}
