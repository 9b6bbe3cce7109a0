import CallTransport
public import RerankdClient

/// Where a gateway listens, whom it lets in, and the bounds of everything that a client can make it
/// hold or wait for.
public struct GatewayConfiguration: Sendable {
  public var host = "127.0.0.1"
  /// 0 takes any free one.
  public var port = 7880
  /// PEM files; both or none.
  public var certificateFile: String?
  public var keyFile: String?
  /// Who may come in (``AccessTokenFile``). Without it everybody who reaches the port may, so the
  /// gateway then listens on loopback alone.
  public var tokenFile: String?
  /// Serves the page for people at `/ui`.
  public var servesPage = true
  /// The model of requests in a dialect that names none (`/rerank` with `texts`).
  public var defaultModel: String?
  /// The queues (shards), and how they are called.
  public var queues: ShardedConfiguration

  public var connectionsMax = 4_096
  /// Requests worked on at once; one more is refused.
  public var requestsMax = 1_000
  /// Of all headers of one request, and of one of them.
  public var headerBytesMax = 32 << 10
  public var headersMax = 100
  /// Of one request.
  public var bodyBytesMax = 64 << 20
  /// Of all requests that are being read or worked on.
  public var bodyBytesTotalMax = 512 << 20
  /// Of one request. The queue has a limit of its own.
  public var documentsMax = 100_000
  /// How long a connection may be silent before a request's headers are complete.
  public var idleTimeout: Duration = .seconds(60)
  /// From a request's headers to the end of its body.
  public var bodyTimeout: Duration = .seconds(30)
  /// From a response's first byte until the client has taken all of it.
  public var responseTimeout: Duration = .seconds(30)
  /// A synchronous request's deadline where the client names none…
  public var requestTimeout: Duration = .seconds(30)
  /// …and the longest that it may name.
  public var requestTimeoutMax: Duration = .seconds(600)
  /// How long the queue may take to answer `/health/ready`.
  public var readyTimeout: Duration = .seconds(2)
  /// What a client is told to wait when the gateway itself is full.
  public var overloadRetryAfter: Duration = .seconds(1)
  /// How often the token file is looked at.
  public var tokenFileCheckInterval: Duration = .seconds(1)
  public var tokensMax = 10_000
  /// Of a request that the page makes of the Control service.
  public var pageBodyBytesMax = 64 << 10
  /// Jobs of one page's list, and of one of its calls.
  public var pageJobsMax = 1_000
  /// The beginning of a job's request is shown up to this size of it.
  public var pagePreviewBytesMax = 1 << 20
  /// How old the page's figures may be: all browsers share one look at the queue.
  public var pageStatusPeriod: Duration = .seconds(1)
  /// How often the queue is looked at while nobody has the page open.
  public var pageIdlePeriod: Duration = .seconds(10)
  /// How long the page's charts look back.
  public var pageHistory: Duration = .seconds(600)
  /// How long the queue may take over a call of the page.
  public var pageCallTimeout: Duration = .seconds(5)
  /// How long requests under way may take when the gateway is asked to end.
  public var shutdownGrace: Duration = .seconds(30)

  public init(queues: ShardedConfiguration) {
    self.queues = queues
  }
}

extension GatewayConfiguration {
  /// The first value that cannot work: its key, as the configuration file has it, and what is
  /// wanted there; nil when all is well.
  public var firstProblem: (key: String, message: String)? {
    if !(0...65_535).contains(port) { return ("listen", "the port must be from 0 to 65535") }
    if (certificateFile == nil) != (keyFile == nil) {
      return ("tls", "needs both certificate_file and key_file")
    }
    if tokenFile == nil, !isLoopback {
      return (
        "token_file",
        "is needed to listen beyond this machine, on \(host): whoever reaches the port could submit, "
          + "read and cancel jobs"
      )
    }
    let counts = [
      ("connections_max", connectionsMax), ("requests_max", requestsMax),
      ("header_max", headerBytesMax), ("headers_max", headersMax), ("body_max", bodyBytesMax),
      ("documents_max", documentsMax), ("tokens_max", tokensMax),
      ("page_body_max", pageBodyBytesMax), ("page_jobs_max", pageJobsMax),
      ("page_preview_max", pagePreviewBytesMax),
    ]
    for (key, value) in counts where value < 1 { return (key, "must be at least 1, not \(value)") }
    if bodyBytesTotalMax < bodyBytesMax { return ("bodies_max", "must not be below body_max") }
    if requestTimeoutMax < requestTimeout { return ("request_max", "must not be below request") }
    let times = [
      ("idle", idleTimeout), ("body", bodyTimeout), ("response", responseTimeout),
      ("request", requestTimeout), ("ready", readyTimeout),
      ("overload_retry_after", overloadRetryAfter), ("token_file_check", tokenFileCheckInterval),
      ("page_status", pageStatusPeriod), ("page_idle", pageIdlePeriod),
      ("page_history", pageHistory), ("page_call", pageCallTimeout),
    ]
    for (key, value) in times where value <= .zero { return (key, "must be more than 0") }
    return queues.client.connection.firstProblem.map { ("queues", "\($0.key) \($0.message)") }
  }

  /// Whether only processes of this machine can reach the port.
  public var isLoopback: Bool { Self.isLoopback(host: host) }

  /// Whether a name, or an address without brackets, is this machine's own.
  static func isLoopback(host: String) -> Bool {
    if host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
