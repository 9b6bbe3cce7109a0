import Glibc

/// A TCP socket of 127.0.0.1, which whoever made it closes.
struct LoopbackSocket {
  let descriptor: Int32
  /// Its own, or the one that it is connected to.
  let port: UInt16

  /// - Parameters:
  ///   - port: 0 takes a free one.
  ///   - isShared: others that say so may have the port as well, as long as one of them at the most
  ///     listens.
  init(boundTo port: UInt16, isShared: Bool = false) throws {
    let descriptor = try Self.open()
    var reuse: Int32 = isShared ? 1 : 0
    setsockopt(
      descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = Self.address(port)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let hasFailed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) != 0
          || getsockname(descriptor, generic, &length) != 0
      }
    }
    if hasFailed { throw Self.failed("bind", descriptor) }
    self.descriptor = descriptor
    self.port = UInt16(bigEndian: address.sin_port)
  }

  /// One that listens.
  static func listening(on port: UInt16 = 0, isShared: Bool = false) throws -> LoopbackSocket {
    let socket = try LoopbackSocket(boundTo: port, isShared: isShared)
    if listen(socket.descriptor, 128) != 0 { throw failed("listen", socket.descriptor) }
    return socket
  }

  init(connectedTo port: UInt16) throws {
    let descriptor = try Self.open()
    var address = Self.address(port)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 { throw Self.failed("connect", descriptor) }
    self.descriptor = descriptor
    self.port = port
  }

  private static func open() throws -> Int32 {
    let descriptor = socket(
      AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError(operation: "socket", code: errno) }
    return descriptor
  }

  private static func address(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  private static func failed(_ operation: String, _ descriptor: Int32) -> SocketError {
    let error = SocketError(operation: operation, code: errno)
    close(descriptor)
    return error
  }
}

struct SocketError: Error, CustomStringConvertible {
  var operation: String
  var code: Int32

  var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
