/// Puts the fragments of one direction of one call together again. One whole message at a time is
/// held at most, within `messageBytesMax`; a message of one frame passes through without a copy.
public struct MessageAssembler: Sendable {
  public let messageBytesMax: Int
  private var pending: [UInt8]?

  /// Payload bytes of all fragments so far, for those who bound a call as a whole.
  public private(set) var bytesReceived: UInt64 = 0

  public init(limits: ProtocolLimits = ProtocolLimits()) {
    messageBytesMax = limits.messageBytesMax
  }

  /// Bytes held for the message that is not complete yet: what a peer's and the queue's totals
  /// count.
  public var pendingBytes: Int { pending?.count ?? 0 }

  public var isMidMessage: Bool { pending != nil }

  /// Takes the next fragment.
  ///
  /// - Parameter more: the fragment's MORE flag.
  /// - Returns: the whole message once its last fragment is here, nil before.
  /// - Throws: `tooLarge`, and the call is to be ended: what was held is gone.
  public mutating func append(
    _ fragment: [UInt8], more: Bool, callID: UInt64
  ) throws(EnvelopeError) -> [UInt8]? {
    bytesReceived += UInt64(fragment.count)
    guard fragment.count <= messageBytesMax - pendingBytes else {
      pending = nil
      throw EnvelopeError(
        .tooLarge, "a message of more than \(messageBytesMax) bytes", frame: 1, callID: callID)
    }
    guard pending != nil else {
      guard more else { return fragment }
      pending = fragment
      return nil
    }
    pending?.append(contentsOf: fragment)
    guard !more else { return nil }
    defer { pending = nil }
    return pending
  }

  /// Takes the next envelope of this direction of the call.
  ///
  /// - Returns: the whole message that is complete with it, if one is.
  /// - Throws: `EnvelopeError`, also for a STATUS that says OK in the middle of a message; a failed
  ///   call's unfinished message is void and no error.
  public mutating func take(_ envelope: Envelope) throws(EnvelopeError) -> [UInt8]? {
    let callID = envelope.callID
    switch envelope.body {
    case .open(_, let payload), .message(let payload):
      guard let payload else { return nil }
      return try append(payload, more: envelope.flags.contains(.more), callID: callID)
    case .status(let status, let payload):
      guard status.code == StatusCode.ok.rawValue else {
        discard()
        return nil
      }
      guard let payload else {
        guard !isMidMessage else {
          throw EnvelopeError(.malformed, "OK in the middle of a message", callID: callID)
        }
        return nil
      }
      return try append(payload, more: false, callID: callID)
    case .cancel, .window, .ping, .pong, .reject:
      return nil
    }
  }

  /// Lets go of an unfinished message, because the call has ended otherwise.
  public mutating func discard() {
    pending = nil
  }
}
