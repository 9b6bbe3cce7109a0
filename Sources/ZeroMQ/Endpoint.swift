internal import Glibc

/// Where a socket binds or connects: "tcp://host:port", "ipc://path" or "inproc://name".
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  public let text: String

  /// - Throws: `ZeroMQError` that says what an endpoint looks like.
  public init(_ text: String) throws(ZeroMQError) {
    self.text = Self.withoutMappedIPv4(text)
    let host = Self.tcpHost(of: text)
    let isNamed = ["ipc://", "inproc://"].contains { text.hasPrefix($0) && text != $0 }
    guard isNamed || host != nil else {
      throw ZeroMQError(
        code: EINVAL,
        message: "'\(text)' is no endpoint: expected tcp://host:port, ipc://path or inproc://name")
    }
  }

  /// Whether only this machine can reach the endpoint. Everything else needs CURVE: a role refuses
  /// to bind there without it, unless it is told twice.
  public var isLoopbackOrIPC: Bool {
    guard let host = Self.tcpHost(of: text) else { return true }
    if host == "localhost" || host == "[::1]" || host == "lo" { return true }
    // All of 127/8, and only when written out in full: "127.1" could be a host's name.
    let bytes = host.split(separator: ".", omittingEmptySubsequences: false)
    return bytes.count == 4 && bytes[0] == "127" && bytes.allSatisfy { UInt8($0) != nil }
  }

  public var description: String { text }

  /// A socket that allows IPv6 reports "tcp://[::ffff:127.0.0.1]:7801" for an IPv4 address: one
  /// address is to have one text.
  private static func withoutMappedIPv4(_ text: String) -> String {
    let prefix = "tcp://[::ffff:"
    guard text.hasPrefix(prefix), let bracket = text.firstIndex(of: "]"),
      text[..<bracket].contains(".")
    else { return text }
    return "tcp://" + text[..<bracket].dropFirst(prefix.count)
      + text[text.index(after: bracket)...]
  }

  /// Nil when the text is no tcp endpoint with a port (a number, or "*" for a free one).
  private static func tcpHost(of text: String) -> Substring? {
    guard text.hasPrefix("tcp://") else { return nil }
    let address = text.dropFirst("tcp://".count)
    guard let colon = address.lastIndex(of: ":") else { return nil }
    let host = address[..<colon]
    let port = address[address.index(after: colon)...]
    guard !host.isEmpty, port == "*" || UInt16(port) != nil else { return nil }
    return host
  }
}
