extension Envelope {
  /// OPEN with a whole first message, in as many envelopes as it needs. `end` says that the client
  /// sends nothing after it, as in a unary call.
  public static func opening(
    callID: UInt64, _ head: CallHead, message: [UInt8]?, end: Bool,
    limits: ProtocolLimits = ProtocolLimits()
  ) -> [Envelope] {
    guard let message else {
      return [Envelope(callID: callID, flags: end ? .end : [], .open(head, payload: nil))]
    }
    return fragments(of: message, frameBytesMax: limits.frameBytesMax, end: end).enumerated().map {
      index, fragment in
      Envelope(
        callID: callID, flags: fragment.flags,
        index == 0
          ? .open(head, payload: fragment.payload) : .message(payload: fragment.payload))
    }
  }

  /// A whole message of a stream, in as many envelopes as it needs.
  public static func messages(
    callID: UInt64, _ message: [UInt8], end: Bool = false,
    limits: ProtocolLimits = ProtocolLimits()
  ) -> [Envelope] {
    fragments(of: message, frameBytesMax: limits.frameBytesMax, end: end).map { fragment in
      Envelope(callID: callID, flags: fragment.flags, .message(payload: fragment.payload))
    }
  }

  /// The OK answer of a unary call: MESSAGE fragments, and STATUS with the last of them.
  public static func answer(
    callID: UInt64, _ message: [UInt8], limits: ProtocolLimits = ProtocolLimits()
  ) -> [Envelope] {
    fragments(of: message, frameBytesMax: limits.frameBytesMax, end: false).map { fragment in
      fragment.flags.contains(.more)
        ? Envelope(callID: callID, flags: .more, .message(payload: fragment.payload))
        : Envelope(callID: callID, .status(CallStatus(), payload: fragment.payload))
    }
  }

  /// The end of a call that failed.
  public static func failure(callID: UInt64, _ error: CallError) -> Envelope {
    Envelope(callID: callID, .status(error.status, payload: nil))
  }

  /// Cuts a message into payloads of at most `frameBytesMax` bytes with their flags. An empty
  /// message is one empty payload; one that fits is passed on without a copy.
  public static func fragments(
    of message: [UInt8], frameBytesMax: Int, end: Bool
  ) -> [(payload: [UInt8], flags: Flags)] {
    precondition(frameBytesMax > 0, "frameBytesMax must be positive")
    let lastFlags: Flags = end ? .end : []
    guard message.count > frameBytesMax else { return [(message, lastFlags)] }
    return stride(from: 0, to: message.count, by: frameBytesMax).map { start in
      let stop = min(start + frameBytesMax, message.count)
      return (Array(message[start..<stop]), stop < message.count ? .more : lastFlags)
    }
  }
}
