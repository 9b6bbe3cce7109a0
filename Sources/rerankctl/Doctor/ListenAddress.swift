import Foundation

/// An address that a process is to listen at, and whether it could.
struct ListenAddress: Equatable {
  enum State: Equatable {
    case free
    case taken
    /// Why not, in the system's words.
    case refused(String)
  }

  /// Its setting: "queue.sockets.producers".
  var key: String
  var text: String
  var state: State

  init(key: String, text: String, state: State) {
    self.key = key
    self.text = text
    self.state = state
  }

  /// Tries it: binds and lets go at once.
  ///
  /// - Returns: nil for what stands for no certain address: "off", a free port of the system's
  ///   choice, the name of a network interface.
  init?(key: String, _ text: String) {
    let state =
      text.hasPrefix("ipc://")
      ? Self.stateOfPath(String(text.dropFirst("ipc://".count)))
      : Self.stateOfPort(text.hasPrefix("tcp://") ? text.dropFirst("tcp://".count) : text[...])
    guard let state else { return nil }
    self.init(key: key, text: text, state: state)
  }

  private static func stateOfPort(_ text: Substring) -> State? {
    guard let colon = text.lastIndex(of: ":"),
      let port = UInt16(text[text.index(after: colon)...]), port != 0
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host == "*" ? nil : String(host), "\(port)", &hints, &list) == 0,
      let first = list
    else { return nil }
    defer { freeaddrinfo(first) }
    let descriptor = socket(
      first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return .refused(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    // As servers do: connections that have ended are no hindrance.
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
      return errno == EADDRINUSE ? .taken : .refused(String(cString: strerror(errno)))
    }
    return .free
  }

  /// Nothing is bound: that would leave a socket file, or remove one.
  private static func stateOfPath(_ path: String) -> State? {
    guard !path.hasPrefix("@") else { return nil }
    guard path.utf8.count <= pathBytesMax else {
      return .refused("a socket's path has at most \(pathBytesMax) bytes")
    }
    let folder = URL(filePath: path).deletingLastPathComponent().path
    guard access(folder, W_OK | X_OK) == 0 else {
      return .refused("\(folder): \(String(cString: strerror(errno)))")
    }
    return .free
  }

  /// Of sockaddr_un, whose last byte is a zero.
  private static let pathBytesMax = 107
}
