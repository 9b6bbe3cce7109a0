import Glibc

/// Loopback TCP ports that nothing listens on.
public enum FreePort {
  /// A port that was free a moment ago. Servers that can bind port 0 themselves should.
  public static func next() throws -> UInt16 {
    let listener = try LoopbackListener()
    defer { close(listener.descriptor) }
    return listener.port
  }
}

/// A TCP socket that listens on a free port of 127.0.0.1.
struct LoopbackListener {
  let descriptor: Int32
  let port: UInt16

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError(operation: "socket", code: errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) != 0 || listen(descriptor, 128) != 0
          || getsockname(descriptor, generic, &length) != 0
      }
    }
    if result {
      let code = errno
      close(descriptor)
      throw SocketError(operation: "bind", code: code)
    }
    port = UInt16(bigEndian: address.sin_port)
  }
}

struct SocketError: Error, CustomStringConvertible {
  var operation: String
  var code: Int32

  var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
