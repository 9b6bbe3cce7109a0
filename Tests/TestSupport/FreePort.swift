import Glibc

/// Loopback TCP ports that nothing listens on.
public enum FreePort {
  /// A port that was free a moment ago. Servers that can bind port 0 themselves should.
  public static func next() throws -> UInt16 {
    let socket = try LoopbackSocket(boundTo: 0)
    defer { close(socket.descriptor) }
    return socket.port
  }
}
