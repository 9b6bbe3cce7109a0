internal import RerankdProtocol

/// What callers ask for.
extension CallMultiplexer {
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
        "\(outboxBytes) bytes wait to be sent; the most are \(configuration.outboxBytesMax)",
        reason: "OUTBOX_FULL")
    }
    return nil
  }

  /// A message of a stream, or with nil and `end` nothing but its end. Unknown calls are over
  /// already.
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

  /// Ends a call from this side, with the error that its caller gets. What a stream's `send` has
  /// taken before still goes out, as far as the window allows: it may be an acknowledgement.
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
}
