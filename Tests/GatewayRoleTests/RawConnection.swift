import Glibc
import TestSupport

/// A client that writes what it likes, when it likes.
final class RawConnection {
  private let descriptor: Int32
  private(set) var received: [UInt8] = []

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let descriptor = descriptor
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
      throw TimeoutError(description: "no connection to port \(port)")
    }
  }

  deinit { Glibc.close(descriptor) }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Sends all, however long the other side takes to read it.
  func sendAll(_ bytes: [UInt8]) async throws {
    var sent = 0
    try await eventually("room for \(bytes.count) bytes") {
      while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes {
          Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return false }
        sent += count
      }
      return true
    }
  }

  /// Takes what has come.
  ///
  /// - Returns: whether the other side has closed.
  func drain() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 {
        received += buffer[..<count]
      } else {
        return count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)
      }
    }
  }

  var text: String { String(decoding: received, as: UTF8.self) }

  func waitForClose(_ what: String) async throws {
    try await eventually(what) { drain() }
  }

  func wait(for part: String) async throws {
    try await eventually("\"\(part)\" in the answer") {
      _ = drain()
      return text.contains(part)
    }
  }
}
