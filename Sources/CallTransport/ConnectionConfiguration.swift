public import RerankdProtocol
public import ZeroMQ

/// How a `CallConnection` treats its queue.
public struct ConnectionConfiguration: Sendable {
  public var endpoint: Endpoint
  public var security: SocketOptions.Security = .none
  public var limits = ProtocolLimits()

  /// A PING goes out when nothing else was sent, or nothing was heard, for this long.
  public var heartbeatInterval: Duration = .seconds(2)
  /// The connection is lost when so many intervals passed without a message from the queue.
  public var silentIntervalsMax = 4
  /// A new connection on which nothing was heard by then is lost, and its calls fail.
  public var connectTimeout: Duration = .seconds(3)
  /// Fails waiting calls at once when nothing listens at the endpoint, instead of giving a queue
  /// that is just starting ``connectTimeout``: for programs that a person waits for.
  public var failsWhenUnreachable = false
  /// Before a lost connection is opened anew: random up to this, doubled with every failure in a
  /// row…
  public var reopenBackoff: Duration = .milliseconds(50)
  /// …up to this.
  public var reopenBackoffMax: Duration = .seconds(2)

  /// Payload bytes that all calls together may hold unsent; beyond it new calls are refused.
  public var outboxBytesMax = 256 << 20
  /// Payload bytes that one stream may hold unsent before its `send` waits.
  public var streamOutboxBytesMax = 8 << 20
  /// Bytes that one stream may hold received but not taken; beyond it the call fails.
  public var streamInboxBytesMax = 256 << 20
  /// Messages taken from the socket before anything else is looked at.
  public var receiveBatchMax = 256
  /// How long a closed connection goes on sending.
  public var linger: Duration = .milliseconds(500)

  public init(endpoint: Endpoint) {
    self.endpoint = endpoint
  }
}

extension ConnectionConfiguration {
  /// The first value that cannot work: its key and what is wanted there; nil when all is well.
  public var firstProblem: (key: String, message: String)? {
    let durations = [
      ("heartbeatInterval", heartbeatInterval), ("connectTimeout", connectTimeout),
      ("reopenBackoff", reopenBackoff),
    ]
    for (key, value) in durations where value <= .zero {
      return (key, "must be more than 0, not \(value)")
    }
    let counts = [
      ("silentIntervalsMax", silentIntervalsMax), ("outboxBytesMax", outboxBytesMax),
      ("streamOutboxBytesMax", streamOutboxBytesMax),
      ("streamInboxBytesMax", streamInboxBytesMax), ("receiveBatchMax", receiveBatchMax),
    ]
    for (key, value) in counts where value < 1 {
      return (key, "must be at least 1, not \(value)")
    }
    if reopenBackoffMax < reopenBackoff {
      return ("reopenBackoffMax", "must not be below reopenBackoff")
    }
    return limits.firstProblem.map { ("limits.\($0.key)", $0.message) }
  }
}
