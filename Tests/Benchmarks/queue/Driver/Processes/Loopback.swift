import Glibc

/// TCP over 127.0.0.1.
enum Loopback {
  /// A port that was free a moment ago.
  static func freePort() throws -> UInt16 {
    let descriptor = try makeSocket()
    defer { close(descriptor) }
    var address = address(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withGeneric(&address) {
      bind(descriptor, $0, length) != 0 || getsockname(descriptor, $0, &length) != 0
    }
    guard !failed else { throw BenchmarkError(system: "bind") }
    return UInt16(bigEndian: address.sin_port)
  }

  /// A connected socket without Nagle's delay.
  static func connect(to port: UInt16) throws -> Int32 {
    let descriptor = try makeSocket()
    var address = address(port: port)
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    guard withGeneric(&address, { Glibc.connect(descriptor, $0, length) }) == 0 else {
      let error = BenchmarkError(system: "connect to port \(port)")
      close(descriptor)
      throw error
    }
    var on: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    return descriptor
  }

  private static func makeSocket() throws -> Int32 {
    let descriptor = socket(
      AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw BenchmarkError(system: "socket") }
    return descriptor
  }

  private static func address(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  private static func withGeneric<Result>(
    _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
  ) -> Result {
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
    }
  }
}
