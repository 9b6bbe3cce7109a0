/// The sending side of a call's flow control: payload bytes that may still go out.
public struct SendWindow: Sendable, Equatable {
  public private(set) var bytes: Int

  public init(limits: ProtocolLimits = ProtocolLimits()) {
    bytes = limits.initialWindowBytes
  }

  /// Takes a payload's bytes off, or says that it has to wait.
  public mutating func take(_ payloadBytes: Int) -> Bool {
    guard payloadBytes <= bytes else { return false }
    bytes -= payloadBytes
    return true
  }

  /// What a WINDOW message grants. Saturates, so that a peer cannot overflow it.
  public mutating func grant(_ grantedBytes: UInt32) {
    bytes = min(bytes, Int(Int32.max)) + Int(grantedBytes)
  }
}

/// The receiving side: notices a sender that ignores its window, and says when to grant more. It
/// grants once half of the window is used up, so that a steady stream costs few WINDOW messages.
public struct ReceiveWindow: Sendable, Equatable {
  /// What the sender may still send, as far as it has been told.
  public private(set) var openBytes: Int
  /// Received and dealt with, but not granted again yet.
  public private(set) var releasedBytes = 0
  private let grantBytes: Int

  public init(limits: ProtocolLimits = ProtocolLimits()) {
    openBytes = limits.initialWindowBytes
    grantBytes = max(1, limits.initialWindowBytes / 2)
  }

  /// Counts a payload in; false when the sender had no right to send it, and the call is to be
  /// ended with RESOURCE_EXHAUSTED.
  public mutating func receive(_ payloadBytes: Int) -> Bool {
    guard payloadBytes <= openBytes else { return false }
    openBytes -= payloadBytes
    return true
  }

  /// Payload bytes that no longer take up memory.
  /// - Returns: what to grant in a WINDOW message now, if anything.
  public mutating func release(_ payloadBytes: Int) -> UInt32? {
    releasedBytes += payloadBytes
    guard releasedBytes >= grantBytes else { return nil }
    let grant = UInt32(clamping: releasedBytes)
    releasedBytes -= Int(grant)
    openBytes += Int(grant)
    return grant
  }
}
