import Glibc

/// A TCP connection to this machine, for what no well-behaved client would send.
public final class RawTCP {
  private let descriptor: Int32
  private var hasEnded = false

  /// What a ZMTP 3.1 client says first that wants to speak CURVE.
  public static let curveGreeting: [UInt8] =
    [0xFF] + [UInt8](repeating: 0, count: 8) + [0x7F, 3, 1] + Array("CURVE".utf8)
    + [UInt8](repeating: 0, count: 47)

  public init(port: UInt16) throws {
    descriptor = try LoopbackSocket(connectedTo: port).descriptor
  }

  deinit { close(descriptor) }

  public func send(_ bytes: [UInt8]) throws {
    guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    else { throw SocketError(operation: "send", code: errno) }
  }

  /// Reads and drops what comes until the other side ends the connection.
  public func isEnded(within timeout: Duration) -> Bool {
    let deadline = ContinuousClock.now + timeout
    var buffer = [UInt8](repeating: 0, count: 4_096)
    repeat {
      if hasEnded { return true }
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 5) > 0 else { continue }
      // An end, or a reset.
      hasEnded = recv(descriptor, &buffer, buffer.count, 0) <= 0
    } while ContinuousClock.now < deadline
    return hasEnded
  }
}
