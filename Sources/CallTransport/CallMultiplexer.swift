internal import RerankdProtocol

/// Many calls over one connection: a state machine without a socket, a clock or a thread.
///
/// Every input takes the monotonic time and returns what is to be done. What is to be sent is asked
/// for with `nextToSend`, so that a socket that takes nothing costs no more than what already
/// waits.
///
/// The connection is opening (nothing heard yet), up, or lost (waits for its time to open again):
///
///     opening ─ heard ─▶ up ─ disconnected or silent ─▶ lost ─ tick ─▶ opening
///        └──────────── connect timeout ─────────────────▲
///
/// A call is waiting (nothing of it was sent), begun, or over. When the connection breaks, calls
/// that have begun fail with UNAVAILABLE, for the queue that knew them may be gone, and waiting
/// ones go on waiting; when it cannot be made at all, they all fail.
struct CallMultiplexer {
  enum Action: Equatable {
    case deliver(callID: UInt64, message: [UInt8])
    /// The call is over: its status, and what a unary call was answered.
    case finish(callID: UInt64, CallResult)
    /// `send` on this call need not wait any longer.
    case room(callID: UInt64)
    /// The socket is to be closed.
    case closeSocket
    /// A socket is to be opened.
    case openSocket
  }

  enum CallResult: Equatable {
    case ok(answer: [UInt8]?)
    case failed(CallError)
  }

  enum Shape: Equatable {
    case unary
    case stream
  }

  enum Disconnection {
    /// It was there, and is gone.
    case broken
    /// It cannot be had, for a reason that waiting will not mend by itself.
    case failed(CallError)
  }

  enum Connection {
    case opening(since: Duration)
    case up
    case lost(opensAt: Duration)
  }

  let configuration: ConnectionConfiguration
  var random: SplitMix64
  var connection: Connection
  var failuresInARow = 0
  var lastHeard: Duration
  var lastSent: Duration
  var lastPing: Duration

  var calls: [UInt64: Call] = [:]
  /// Goes before everything else.
  var control = Queue<Envelope>()
  /// Calls with a fragment that may go out now, in turn.
  var ready = Queue<UInt64>()
  var outboxBytes = 0
  /// No call's deadline is earlier than this.
  var earliestDeadline = Duration.seconds(Int64.max)

  init(configuration: ConnectionConfiguration, seed: UInt64, now: Duration) {
    self.configuration = configuration
    random = SplitMix64(state: seed)
    connection = .opening(since: now)
    lastHeard = now
    lastSent = now
    lastPing = now
    control.append(.ping)
  }

  var openCalls: Int { calls.count }

  // MARK: Ends

  /// Ends a call from this side: the queue is told if it knows of the call.
  mutating func fail(_ callID: UInt64, _ error: CallError) -> [Action] {
    if calls[callID]?.hasBegun == true { control.append(Envelope(callID: callID, .cancel)) }
    return finish(callID, .failed(error))
  }

  mutating func failAll(_ error: CallError) -> [Action] {
    calls.keys.sorted().flatMap { finish($0, .failed(error)) }
  }

  mutating func failBegun(_ message: String) -> [Action] {
    let error = CallError(.unavailable, message, reason: "CONNECTION_LOST")
    return calls.filter(\.value.hasBegun).keys.sorted().flatMap { finish($0, .failed(error)) }
  }

  mutating func finish(_ callID: UInt64, _ result: CallResult) -> [Action] {
    guard let call = calls.removeValue(forKey: callID) else { return [] }
    outboxBytes -= call.outboxBytes
    if call.isReady { ready.removeAll { $0 == callID } }
    return [.finish(callID: callID, result)]
  }
}
