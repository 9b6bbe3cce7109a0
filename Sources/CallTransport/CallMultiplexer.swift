internal import RerankdProtocol

/// Many calls over one connection: a state machine without a socket, a clock or a thread.
///
/// Every input takes the monotonic time and returns what is to be done. What is to be sent is asked for
/// with `nextToSend`, so that a socket that takes nothing costs no more than what already waits.
///
/// The connection is opening (nothing heard yet), up, or lost (waits for its time to open again):
///
///     opening ─ heard ─▶ up ─ disconnected or silent ─▶ lost ─ tick ─▶ opening
///        └──────────── connect timeout ─────────────────▲
///
/// A call is waiting (nothing of it was sent), begun, or over. When the connection breaks, calls that
/// have begun fail with UNAVAILABLE, for the queue that knew them may be gone, and waiting ones go on
/// waiting; when it cannot be made at all, they all fail.
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

  private enum Connection {
    case opening(since: Duration)
    case up
    case lost(opensAt: Duration)
  }

  private let configuration: ConnectionConfiguration
  private var random: SplitMix64
  private var connection: Connection
  private var failuresInARow = 0
  private var lastHeard: Duration
  private var lastSent: Duration
  private var lastPing: Duration

  private var calls: [UInt64: Call] = [:]
  /// Goes before everything else.
  private var control = Queue<Envelope>()
  /// Calls with a fragment that may go out now, in turn.
  private var ready = Queue<UInt64>()
  private var outboxBytes = 0
  /// No call's deadline is earlier than this.
  private var earliestDeadline = Duration.seconds(Int64.max)

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

  // MARK: Calls

  mutating func open(
    callID: UInt64, _ method: String, metadata: [String: String], shape: Shape, message: [UInt8]?,
    timeout: Duration?, now: Duration
  ) -> [Action] {
    let bytes = message?.count ?? 0
    if let refusal = refusal(of: bytes) {
      return [.finish(callID: callID, .failed(refusal))]
    }
    var head = CallHead()
    head.method = method
    head.metadata = metadata
    var call = Call(
      shape: shape, deadline: timeout.map { now + $0 }, limits: configuration.limits)
    for envelope in Envelope.opening(
      callID: callID, head, message: message, end: shape == .unary, limits: configuration.limits)
    {
      call.outbox.append(envelope)
    }
    call.outboxBytes = bytes
    outboxBytes += bytes
    calls[callID] = call
    if let deadline = call.deadline { earliestDeadline = min(earliestDeadline, deadline) }
    makeReady(callID)
    return []
  }

  private func refusal(of bytes: Int) -> CallError? {
    if calls.count >= configuration.limits.openCallsMax {
      return CallError(
        .resourceExhausted,
        "\(calls.count) calls are open on this connection, the most there may be",
        reason: "TOO_MANY_CALLS")
    }
    if bytes > configuration.limits.messageBytesMax {
      return CallError(
        .invalidArgument,
        "a message of \(bytes) bytes; the largest is \(configuration.limits.messageBytesMax)",
        reason: "MESSAGE_TOO_LARGE")
    }
    if outboxBytes + bytes > configuration.outboxBytesMax {
      return CallError(
        .resourceExhausted,
        "\(outboxBytes) bytes wait to be sent already; the most are \(configuration.outboxBytesMax)",
        reason: "OUTBOX_FULL")
    }
    return nil
  }

  /// A message of a stream, or with nil and `end` nothing but its end. Unknown calls are over already.
  mutating func send(callID: UInt64, _ message: [UInt8]?, end: Bool) -> [Action] {
    guard calls[callID]?.hasEnded == false else { return [] }
    if let message, message.count > configuration.limits.messageBytesMax {
      return fail(
        callID,
        CallError(
          .invalidArgument,
          "a message of \(message.count) bytes; the largest is "
            + "\(configuration.limits.messageBytesMax)", reason: "MESSAGE_TOO_LARGE"))
    }
    calls[callID]?.hasEnded = end
    if let message {
      for envelope in Envelope.messages(
        callID: callID, message, end: end, limits: configuration.limits)
      {
        calls[callID]?.outbox.append(envelope)
      }
      calls[callID]?.outboxBytes += message.count
      outboxBytes += message.count
    } else if end {
      calls[callID]?.outbox.append(Envelope(callID: callID, flags: .end, .message(payload: nil)))
    }
    makeReady(callID)
    return []
  }

  /// Whether a stream's `send` may return at once.
  func hasRoom(callID: UInt64) -> Bool {
    guard let call = calls[callID] else { return true }
    return call.outboxBytes <= configuration.streamOutboxBytesMax
  }

  /// Ends a call from this side, with the error that its caller gets. What a stream's `send` has taken
  /// before still goes out, as far as the window allows: it may be an acknowledgement.
  mutating func cancel(
    callID: UInt64, _ error: CallError = CallError(.cancelled, "the call was cancelled")
  ) -> [Action] {
    guard let call = calls[callID] else { return [] }
    if call.shape == .stream, call.hasBegun {
      var window = call.window
      var outbox = call.outbox
      while let envelope = outbox.popFirst(), window.take(envelope.payloadBytes) {
        control.append(envelope)
      }
    }
    return fail(callID, error)
  }

  /// Ends all calls, for the connection is being closed.
  mutating func close() -> [Action] {
    calls.keys.sorted().flatMap {
      fail($0, CallError(.cancelled, "the connection to the queue was closed here"))
    }
  }

  // MARK: The socket

  /// What is to go out next, if anything may. It stays the next until `didSend`.
  mutating func nextToSend(now: Duration) -> [[UInt8]]? {
    if case .lost = connection { return nil }
    if let envelope = control.first { return envelope.frames() }
    guard let callID = ready.first, var envelope = calls[callID]?.outbox.first else { return nil }
    if case .open(var head, let payload) = envelope.body, let deadline = calls[callID]?.deadline {
      head.timeoutMs = max(1, (deadline - now).wholeMilliseconds)
      envelope.body = .open(head, payload: payload)
    }
    return envelope.frames()
  }

  /// The socket took what `nextToSend` returned.
  mutating func didSend(now: Duration) -> [Action] {
    lastSent = now
    if let envelope = control.popFirst() {
      if envelope == .ping { lastPing = now }
      return []
    }
    guard let callID = ready.popFirst(), let bytes = calls[callID]?.sent() else { return [] }
    let hadRoom = hasRoom(callID: callID)
    calls[callID]?.outboxBytes -= bytes
    outboxBytes -= bytes
    makeReady(callID)
    return !hadRoom && hasRoom(callID: callID) ? [.room(callID: callID)] : []
  }

  private mutating func makeReady(_ callID: UInt64) {
    guard let call = calls[callID], !call.isReady, let next = call.outbox.first,
      next.payloadBytes <= call.window.bytes
    else { return }
    calls[callID]?.isReady = true
    ready.append(callID)
  }

  mutating func received(_ frames: [[UInt8]], now: Duration) -> [Action] {
    heard(now)
    let envelope: Envelope
    do {
      envelope = try Envelope(frames: frames, limits: configuration.limits)
    } catch {
      return notUnderstood(error)
    }
    let callID = envelope.callID
    switch envelope.body {
    case .message:
      return receivedMessage(envelope)
    case .status(let status, _):
      return receivedStatus(status, envelope)
    case .window(let bytes):
      calls[callID]?.window.grant(bytes)
      makeReady(callID)
      return []
    case .ping:
      control.append(.pong)
      return []
    case .pong:
      return []
    case .reject(let status):
      let error = CallError(status: status) ?? CallError(.unknown, "rejected without a reason")
      return rejected(error, callID, now)
    case .open, .cancel:
      reject(
        EnvelopeError(.malformed, "only clients send OPEN and CANCEL", callID: callID))
      return []
    }
  }

  private mutating func receivedMessage(_ envelope: Envelope) -> [Action] {
    let callID = envelope.callID
    // What was on its way when the call ended here is no mistake.
    guard let shape = calls[callID]?.shape else { return [] }
    do {
      guard let message = try calls[callID]?.assembler.take(envelope) else { return [] }
      guard shape == .stream else {
        return fail(
          callID, CallError(.internal, "the queue answered a unary call with a stream"))
      }
      return [.deliver(callID: callID, message: message)]
    } catch {
      return fail(callID, error.callError)
    }
  }

  private mutating func receivedStatus(_ status: CallStatus, _ envelope: Envelope) -> [Action] {
    let callID = envelope.callID
    guard let shape = calls[callID]?.shape else { return [] }
    if let error = CallError(status: status) { return finish(callID, .failed(error)) }
    let last: [UInt8]?
    do {
      last = try calls[callID]?.assembler.take(envelope)
    } catch {
      return finish(callID, .failed(CallError(.internal, "the queue sent \(error)")))
    }
    guard shape == .stream, let last else { return finish(callID, .ok(answer: last)) }
    return [.deliver(callID: callID, message: last)] + finish(callID, .ok(answer: nil))
  }

  private mutating func notUnderstood(_ error: EnvelopeError) -> [Action] {
    switch error.code {
    case .unknownKind:
      // Something newer that this side can do without.
      return []
    case .unsupportedVersion(let version):
      return failAll(
        CallError(
          .failedPrecondition,
          "the queue at \(configuration.endpoint) speaks protocol version \(version), "
            + "this side \(Envelope.version)", reason: "UNSUPPORTED_VERSION"))
    case .notAnEnvelope, .malformed, .tooLarge:
      reject(error)
      return calls[error.callID] == nil
        ? [] : fail(error.callID, CallError(.internal, "the queue sent \(error)"))
    }
  }

  private mutating func rejected(
    _ error: CallError, _ callID: UInt64, _ now: Duration
  ) -> [Action] {
    if callID == 0 {
      switch error.details.reason {
      case "UNSUPPORTED_VERSION": return failAll(error)
      // The queue took this side for gone and has forgotten its calls.
      case "SESSION_LOST": return disconnected(.broken, now: now)
      default: return []
      }
    }
    return calls[callID] == nil ? [] : finish(callID, .failed(error))
  }

  private mutating func reject(_ error: EnvelopeError) {
    control.append(Envelope(callID: error.callID, .reject(error.callError.status)))
  }

  // MARK: Time

  private mutating func heard(_ now: Duration) {
    lastHeard = now
    failuresInARow = 0
    if case .opening = connection { connection = .up }
  }

  /// The transport says that the connection is gone.
  mutating func disconnected(_ cause: Disconnection, now: Duration) -> [Action] {
    let wasUp: Bool
    switch connection {
    case .lost: return []
    case .opening: wasUp = false
    case .up: wasUp = true
    }
    let actions = lose(now)
    switch cause {
    case .failed(let error): return actions + failAll(error)
    case .broken:
      let message = "the connection to the queue at \(configuration.endpoint) broke"
      if wasUp { return actions + failBegun(message) }
      // Else a peer that accepts and hangs up would keep the calls waiting without an end.
      return actions
        + failAll(
          CallError(.unavailable, message + " before it answered", reason: "CONNECTION_LOST"))
    }
  }

  mutating func tick(now: Duration) -> [Action] {
    var actions = failExpired(now)
    switch connection {
    case .opening(let since):
      guard now - since >= configuration.connectTimeout else { break }
      actions += lose(now)
      actions += failAll(
        CallError(
          .unavailable,
          "no queue answers at \(configuration.endpoint): is `rerankd queue` running?",
          reason: "NO_QUEUE"))
    case .up:
      guard now - lastHeard >= silenceMax else {
        let quiet = min(lastHeard, lastSent)
        if now - max(quiet, lastPing) >= configuration.heartbeatInterval {
          lastPing = now
          control.append(.ping)
        }
        break
      }
      actions += lose(now)
      actions += failBegun("the queue at \(configuration.endpoint) has fallen silent")
    case .lost(let opensAt):
      guard now >= opensAt else { break }
      connection = .opening(since: now)
      lastHeard = now
      lastSent = now
      lastPing = now
      control.append(.ping)
      actions.append(.openSocket)
    }
    return actions
  }

  /// When `tick` has something to do next.
  var nextTick: Duration {
    let next =
      switch connection {
      case .opening(let since): since + configuration.connectTimeout
      case .up:
        min(
          lastHeard + silenceMax,
          max(min(lastHeard, lastSent), lastPing) + configuration.heartbeatInterval)
      case .lost(let opensAt): opensAt
      }
    return min(next, earliestDeadline)
  }

  private var silenceMax: Duration {
    configuration.heartbeatInterval * configuration.silentIntervalsMax
  }

  private mutating func lose(_ now: Duration) -> [Action] {
    let doublings = min(failuresInARow, 16)
    failuresInARow += 1
    let ceiling = min(
      configuration.reopenBackoff * (1 << doublings), configuration.reopenBackoffMax)
    connection = .lost(opensAt: now + ceiling * Double.random(in: 0...1, using: &random))
    control.removeAll()
    return [.closeSocket]
  }

  private mutating func failExpired(_ now: Duration) -> [Action] {
    guard now >= earliestDeadline else { return [] }
    let expired = calls.filter { $0.value.deadline.map { $0 <= now } ?? false }.keys.sorted()
    let actions = expired.flatMap {
      fail($0, CallError(.deadlineExceeded, "the call's time is over"))
    }
    earliestDeadline = calls.values.compactMap(\.deadline).min() ?? .seconds(Int64.max)
    return actions
  }

  // MARK: Ends

  /// Ends a call from this side: the queue is told if it knows of the call.
  private mutating func fail(_ callID: UInt64, _ error: CallError) -> [Action] {
    if calls[callID]?.hasBegun == true { control.append(Envelope(callID: callID, .cancel)) }
    return finish(callID, .failed(error))
  }

  private mutating func failAll(_ error: CallError) -> [Action] {
    calls.keys.sorted().flatMap { finish($0, .failed(error)) }
  }

  private mutating func failBegun(_ message: String) -> [Action] {
    let error = CallError(.unavailable, message, reason: "CONNECTION_LOST")
    return calls.filter(\.value.hasBegun).keys.sorted().flatMap { finish($0, .failed(error)) }
  }

  private mutating func finish(_ callID: UInt64, _ result: CallResult) -> [Action] {
    guard let call = calls.removeValue(forKey: callID) else { return [] }
    outboxBytes -= call.outboxBytes
    if call.isReady { ready.removeAll { $0 == callID } }
    return [.finish(callID: callID, result)]
  }
}

/// One call as the client sees it.
private struct Call {
  let shape: CallMultiplexer.Shape
  let deadline: Duration?
  /// Something of it was sent: the queue knows the call.
  var hasBegun = false
  /// The caller sends nothing more.
  var hasEnded: Bool
  /// It stands in the multiplexer's list of those that may send.
  var isReady = false
  var outbox = Queue<Envelope>()
  var outboxBytes = 0
  var window: SendWindow
  var assembler: MessageAssembler

  init(shape: CallMultiplexer.Shape, deadline: Duration?, limits: ProtocolLimits) {
    self.shape = shape
    self.deadline = deadline
    hasEnded = shape == .unary
    window = SendWindow(limits: limits)
    assembler = MessageAssembler(limits: limits)
  }

  /// Takes off what was sent.
  /// - Returns: its payload bytes.
  mutating func sent() -> Int? {
    guard let envelope = outbox.popFirst() else { return nil }
    isReady = false
    hasBegun = true
    // It stood in the list only because the window was wide enough.
    _ = window.take(envelope.payloadBytes)
    return envelope.payloadBytes
  }
}
