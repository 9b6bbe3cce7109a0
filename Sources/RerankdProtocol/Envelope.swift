/// One multipart message between a client (producer, worker, control) and a queue: what is said of
/// which call. protocol/PROTOCOL.md is the specification; `frames()` and `init(frames:limits:)` are
/// the codec.
///
/// Frames are `[UInt8]` throughout the project: SwiftProtobuf parses from and serializes to them
/// directly, and handing one on is a reference count and no copy.
public struct Envelope: Sendable, Equatable {
  /// The version that this side speaks, the only one there is so far.
  public static let version: UInt8 = 1

  public enum Body: Sendable, Equatable {
    /// Client → queue. Begins a call, with its first payload or without one.
    case open(CallHead, payload: [UInt8]?)
    /// A payload in either direction. Nil carries nothing but the END flag.
    case message(payload: [UInt8]?)
    /// Queue → client. Ends the call; a payload is the answer of a unary call, or the last fragment
    /// of it.
    case status(CallStatus, payload: [UInt8]?)
    /// Client → queue. Ends the call; no STATUS follows.
    case cancel
    /// Queue → client. So many payload bytes more may be sent on this call.
    case window(bytes: UInt32)
    case ping
    case pong
    /// A message with this call id was not understood. Never answered.
    case reject(CallStatus)
  }

  public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The payload is a fragment, and more of the same message follows.
    public static let more = Flags(rawValue: 1)
    /// The sender sends nothing more on this call.
    public static let end = Flags(rawValue: 2)
  }

  /// Chosen by the client and unique in its connection; 0 for what is about the connection.
  public var callID: UInt64
  public var flags: Flags
  public var body: Body

  public init(callID: UInt64, flags: Flags = [], _ body: Body) {
    self.callID = callID
    self.flags = flags
    self.body = body
  }

  public static let ping = Envelope(callID: 0, .ping)
  public static let pong = Envelope(callID: 0, .pong)

  /// Bytes of payload: what windows and credit count.
  public var payloadBytes: Int {
    switch body {
    case .open(_, let payload), .message(let payload), .status(_, let payload): payload?.count ?? 0
    case .cancel, .window, .ping, .pong, .reject: 0
    }
  }
}

extension Envelope.Body {
  /// The kinds' numbers in the header.
  enum Kind: UInt8 {
    case open = 1
    case message = 2
    case status = 3
    case cancel = 4
    case window = 5
    case ping = 6
    case pong = 7
    case reject = 8
  }

  var kind: Kind {
    switch self {
    case .open: .open
    case .message: .message
    case .status: .status
    case .cancel: .cancel
    case .window: .window
    case .ping: .ping
    case .pong: .pong
    case .reject: .reject
    }
  }
}
