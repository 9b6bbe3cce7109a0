internal import RerankdProtocol

/// What goes out and what comes in.
extension CallMultiplexer {
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

  mutating func makeReady(_ callID: UInt64) {
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
}
