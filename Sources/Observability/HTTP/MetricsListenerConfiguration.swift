/// Where a role shows its metrics and its health, and to whom.
public struct MetricsListenerConfiguration: Sendable, Equatable {
  /// nil: nowhere.
  public var host: String?
  /// 0 takes a free one.
  public var port: Int
  /// Lets others than this machine read: there is neither a token nor encryption. What is shown is
  /// no secret: names of models and backends, counts and sizes; no job's text, id or tenant.
  public var insecure = false
  public var connectionsMax = 32
  public var idleTimeout = Duration.seconds(30)
  /// How long the role may take to record what it records for scrapes, and to say how it is.
  public var answerTimeout = Duration.seconds(1)

  public init(host: String?, port: Int) {
    self.host = host
    self.port = port
  }

  /// What ``setListen(_:)`` takes, for people.
  public static let listenForm = "must be HOST:PORT, for example 127.0.0.1:7881, or off"

  /// - Returns: false for what is neither HOST:PORT nor "off".
  public mutating func setListen(_ text: String) -> Bool {
    if text == "off" {
      host = nil
      return true
    }
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { return false }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { return false }
    self.host = String(host)
    self.port = Int(port)
    return true
  }

  /// As ``setListen(_:)`` takes it.
  public var listen: String {
    guard let host else { return "off" }
    return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// The first value that cannot work: its key and what is wanted there; nil when all is well.
  public var firstProblem: (key: String, message: String)? {
    if let host, !Self.isLoopback(host), !insecure {
      return (
        "listen",
        "\"\(host)\" can be reached from other machines, and metrics are shown to whoever asks: "
          + "listen on loopback, or allow it by insecure: true"
      )
    }
    if connectionsMax < 1 { return ("connections_max", "must be at least 1") }
    return nil
  }

  private static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }
}
