internal import RerankdProtocol
internal import Synchronization

/// Keeps the opening and the cancelling of a call in order, whichever task comes first.
final class CallTicket: Sendable {
  static let cancelled = CallError(.cancelled, "the call was cancelled")

  private enum State {
    case new
    case opened
    case cancelled
  }

  let callID: UInt64
  private let mailbox: CommandMailbox
  private let state = Mutex(State.new)

  init(_ callID: UInt64, _ mailbox: CommandMailbox) {
    self.callID = callID
    self.mailbox = mailbox
  }

  /// False when the call was cancelled before it began.
  func open(_ start: CallStart) -> Bool {
    state.withLock { state in
      guard state == .new else { return false }
      state = .opened
      mailbox.post(.open(callID: callID, start))
      return true
    }
  }

  func cancel(_ error: CallError = CallTicket.cancelled) {
    state.withLock { state in
      if state == .opened { mailbox.post(.cancel(callID: callID, error)) }
      state = .cancelled
    }
  }
}
