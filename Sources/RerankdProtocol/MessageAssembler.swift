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

  /// Bytes held for the message that is not complete yet: what a peer's and the queue's totals count.
  public var pendingBytes: Int { pending?.count ?? 0 }

  public var isMidMessage: Bool { pending != nil }

  /// Takes the next fragment.
  ///
  /// - Parameter more: the fragment's MORE flag; false for the payload of a STATUS.
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

  /// Lets go of an unfinished message, because the call has ended otherwise.
  public mutating func discard() {
    pending = nil
  }
}
