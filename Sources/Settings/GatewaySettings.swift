import CallTransport
package import GatewayRole
import RerankdClient
import RerankdProtocol
import ZeroMQ

extension GatewayConfiguration {
  /// The section `gateway`: every key has the default of `GatewayConfiguration`. Whether the values
  /// can work together is checked when the flags have been applied.
  init(_ section: ConfigurationSection, models: [ModelSettings]) throws {
    let endpoint = try section.string("queue") ?? DefaultEndpoint.producers
    do {
      self.init(queue: try ClientConfiguration(endpoint: endpoint))
      if let key = try section.string("queue_public_key") {
        // Which clients may come in by their own keys is the queue's allow-list; without one, a
        // fresh pair encrypts as well.
        queue.connection.security = .curveClient(
          try CurveKeyPair.generate(), serverKey: try CurvePublicKey(z85: key))
      }
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw section.error("queue", "\(error)")
    }
    if let listen = try section.string("listen") {
      guard setListen(listen) else { throw section.error("listen", Self.listenForm) }
    }
    tokenFile = try section.string("token_file")
    metricsOpen = try section.boolean("metrics_open") ?? metricsOpen
    defaultModel = try section.string("default_model") ?? models.first?.name
    let tls = try section.section("tls")
    certificateFile = try tls.string("certificate_file")
    keyFile = try tls.string("key_file")
    try readLimits(section.section("limits"))
    try readTimes(section.section("times"))
  }

  private mutating func readLimits(_ section: ConfigurationSection) throws {
    try section.count("connections_max", into: &connectionsMax, in: 1...1_000_000)
    try section.count("requests_max", into: &requestsMax, in: 1...Self.requestsMaxMax)
    try section.size("header_max", into: &headerBytesMax)
    try section.count("headers_max", into: &headersMax, in: 1...10_000)
    try section.size("body_max", into: &bodyBytesMax)
    try section.size("bodies_max", into: &bodyBytesTotalMax)
    try section.count("documents_max", into: &documentsMax)
    try section.count("tokens_max", into: &tokensMax)
  }

  private mutating func readTimes(_ section: ConfigurationSection) throws {
    try section.time("idle", into: &idleTimeout)
    try section.time("body", into: &bodyTimeout)
    try section.time("response", into: &responseTimeout)
    try section.time("request", into: &requestTimeout)
    try section.time("request_max", into: &requestTimeoutMax)
    try section.time("ready", into: &readyTimeout)
    try section.time("overload_retry_after", into: &overloadRetryAfter)
    try section.time("token_file_check", into: &tokenFileCheckInterval)
    shutdownGrace = try section.duration("shutdown_grace") ?? shutdownGrace
  }

  /// One connection to the queue has so many calls, and a few are for health and jobs.
  private static let requestsMaxMax = ProtocolLimits().openCallsMax - 24

  package static let listenForm = "expected HOST:PORT, such as 127.0.0.1:7880 or [::1]:7880"

  /// - Returns: false for a text that is no address.
  package mutating func setListen(_ text: String) -> Bool {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else { return false }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else { return false }
    self.host = host
    self.port = port
    return true
  }
}
