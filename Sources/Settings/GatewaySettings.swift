import CallTransport
import GatewayRole
import RerankdClient
import RerankdProtocol

extension GatewayConfiguration {
  /// The section `gateway`: every key has the default of `GatewayConfiguration`. Whether the values
  /// can work together is checked when the flags have been applied.
  init(_ section: ConfigurationSection, models: [ModelSettings]) throws {
    var endpoints = [DefaultEndpoint.producers]
    section.texts("queues", into: &endpoints)
    let queues: ShardedConfiguration
    do {
      queues = try ShardedConfiguration(endpoints: endpoints)
    } catch {
      throw section.error("queues", "\(error)")
    }
    self.init(queues: queues)
    var listen = "\(host):\(port)"
    section.text("listen", into: &listen)
    section.noting {
      guard setListen(listen) else { throw section.error("listen", Self.listenForm) }
    }
    section.text("token_file", into: &tokenFile)
    section.flag("ui", into: &servesPage)
    defaultModel = models.first?.name
    section.text("default_model", into: &defaultModel)
    let tls = section.section("tls")
    tls.text("certificate_file", into: &certificateFile)
    tls.text("key_file", into: &keyFile)
    readLimits(section.section("limits"))
    readTimes(section.section("times"))
    section.noting {
      if let model = defaultModel, !models.contains(where: { $0.name == model }) {
        throw section.error("default_model", "\"\(model)\" is none of the models")
      }
    }
  }

  private mutating func readLimits(_ section: ConfigurationSection) {
    section.count("connections_max", into: &connectionsMax, in: 1...1_000_000)
    section.count("requests_max", into: &requestsMax, in: 1...Self.requestsMaxMax)
    section.size("header_max", into: &headerBytesMax)
    section.count("headers_max", into: &headersMax, in: 1...10_000)
    section.size("body_max", into: &bodyBytesMax)
    section.size("bodies_max", into: &bodyBytesTotalMax)
    section.count("documents_max", into: &documentsMax)
    section.count("tokens_max", into: &tokensMax)
    section.size("page_body_max", into: &pageBodyBytesMax)
    section.count("page_jobs_max", into: &pageJobsMax, in: 1...1_000)
    section.size("page_preview_max", into: &pagePreviewBytesMax)
  }

  private mutating func readTimes(_ section: ConfigurationSection) {
    section.time("idle", into: &idleTimeout)
    section.time("body", into: &bodyTimeout)
    section.time("response", into: &responseTimeout)
    section.time("request", into: &requestTimeout)
    section.time("request_max", into: &requestTimeoutMax)
    section.time("ready", into: &readyTimeout)
    section.time("overload_retry_after", into: &overloadRetryAfter)
    section.time("token_file_check", into: &tokenFileCheckInterval)
    section.time("page_status", into: &pageStatusPeriod)
    section.time("page_idle", into: &pageIdlePeriod)
    section.time("page_history", into: &pageHistory)
    section.time("page_call", into: &pageCallTimeout)
    section.time("shutdown_grace", into: &shutdownGrace, atLeast: .zero)
  }

  /// One connection to the queue has so many calls, and a few are for health and jobs.
  private static let requestsMaxMax = ProtocolLimits().openCallsMax - 24

  private static let listenForm = "expected HOST:PORT, such as 127.0.0.1:7880 or [::1]:7880"

  /// - Returns: false for a text that is no address.
  private mutating func setListen(_ text: String) -> Bool {
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
