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
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError(operation: "socket", code: errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let descriptor = descriptor
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw SocketError(operation: "connect", code: errno) }
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
