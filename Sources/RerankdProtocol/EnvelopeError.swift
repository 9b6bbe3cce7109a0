/// Why the frames of a multipart message are no envelope, or the fragments of a call no message.
public struct EnvelopeError: Error, Equatable, Sendable {
  public enum Code: Sendable, Equatable {
    /// Frame 0 is not a header of this protocol at all.
    case notAnEnvelope
    /// A header of a version that this side does not speak.
    case unsupportedVersion(UInt8)
    /// A kind that this version does not know: to be ignored within an open call, see PROTOCOL.md.
    case unknownKind(UInt8)
    /// The number or the contents of the frames do not fit the kind.
    case malformed
    /// A limit of `ProtocolLimits` is exceeded.
    case tooLarge
  }

  public var code: Code
  /// What is wrong.
  public var message: String
  /// The frame it was found in; 0 is the header.
  public var frame: Int
  /// The call that the message names; 0 where the header could not be read or names none.
  public var callID: UInt64

  public init(_ code: Code, _ message: String, frame: Int = 0, callID: UInt64 = 0) {
    self.code = code
    self.message = message
    self.frame = frame
    self.callID = callID
  }

  /// What the sender is to be told in a REJECT, or in the STATUS that ends the call.
  public var callError: CallError {
    let text = "frame \(frame): \(message)"
    switch code {
    case .notAnEnvelope: return CallError(.invalidArgument, text, reason: "NOT_AN_ENVELOPE")
    case .malformed: return CallError(.invalidArgument, text, reason: "MALFORMED_MESSAGE")
    case .tooLarge: return CallError(.resourceExhausted, text, reason: "MESSAGE_TOO_LARGE")
    case .unknownKind: return CallError(.unimplemented, text, reason: "UNKNOWN_KIND")
    case .unsupportedVersion:
      return CallError(
        .unimplemented, text, reason: "UNSUPPORTED_VERSION",
        resource: "\(Envelope.version)-\(Envelope.version)")
    }
  }
}

extension EnvelopeError: CustomStringConvertible {
  public var description: String { "\(code): \(callError.message)" }
}
