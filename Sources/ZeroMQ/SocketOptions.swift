internal import CZeroMQ

/// Everything about a socket that libzmq has a default for and this project an opinion on.
public struct SocketOptions: Sendable, Equatable {
  /// How long a closed socket goes on sending what it holds. Finite, so that a process always ends.
  public var linger: Duration = .milliseconds(500)
  /// Bytes of one frame; a peer that sends a larger one is disconnected by libzmq. The wire's limit
  /// on payload frames: header, head and status are smaller.
  public var frameBytesMax = 1 << 20
  /// Whole messages that wait to be sent, per peer.
  public var sendMessagesMax = 1_000
  /// Whole messages that wait to be received, per peer.
  public var receiveMessagesMax = 1_000
  /// Whether a connecting socket takes messages before a peer is there. It does not: what nobody
  /// can answer yet is better kept, and bounded, by the sender.
  public var queuesWithoutPeer = false
  public var reconnectInterval: Duration = .milliseconds(100)
  /// The interval doubles up to this.
  public var reconnectIntervalMax: Duration = .seconds(5)
  public var connectTimeout: Duration = .seconds(5)
  /// A peer that has not finished the ZMTP handshake by then is dropped.
  public var handshakeTimeout: Duration = .seconds(5)
  /// ZMTP's own heartbeat, for half-open connections; the calls' PING finds wedged peers.
  public var heartbeatInterval: Duration = .seconds(5)
  public var heartbeatTimeout: Duration = .seconds(15)
  /// Connections that wait to be accepted.
  public var backlog = 1_024
  /// Whether tcp endpoints may be IPv6 as well as IPv4.
  public var allowsIPv6 = true
  public var security: Security = .none

  public enum Security: Sendable, Equatable {
    /// For loopback and ipc: see `Endpoint.isLoopbackOrIPC`.
    case none
    /// Accepts peers that know the server's public key. Which of them is decided by the context's
    /// ZAP handler, for this domain: nobody while there is none. With nil every client key is let
    /// in.
    case curveServer(CurveKeyPair, zapDomain: String?)
    case curveClient(CurveKeyPair, serverKey: CurvePublicKey)
  }

  public init() {}
}

extension SocketOptions {
  func apply(to socket: UnsafeMutableRawPointer, kind: Socket.Kind) throws(ZeroMQError) {
    func set(_ option: Int32, _ name: String, _ value: Int) throws(ZeroMQError) {
      var value = Int32(clamping: value)
      try check(
        zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size), name, "\(value)")
    }
    func check(_ result: Int32, _ name: String, _ value: String) throws(ZeroMQError) {
      guard result == 0 else { throw .last("set \(name) to \(value) on a \(kind) socket") }
    }
    try set(ZMQ_LINGER, "LINGER", linger.pollMilliseconds)
    var frameBytes = Int64(frameBytesMax)
    try check(
      zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frameBytes, MemoryLayout<Int64>.size), "MAXMSGSIZE",
      "\(frameBytes)")
    try set(ZMQ_SNDHWM, "SNDHWM", sendMessagesMax)
    try set(ZMQ_RCVHWM, "RCVHWM", receiveMessagesMax)
    try set(ZMQ_IMMEDIATE, "IMMEDIATE", queuesWithoutPeer ? 0 : 1)
    try set(ZMQ_RECONNECT_IVL, "RECONNECT_IVL", reconnectInterval.pollMilliseconds)
    try set(ZMQ_RECONNECT_IVL_MAX, "RECONNECT_IVL_MAX", reconnectIntervalMax.pollMilliseconds)
    try set(ZMQ_CONNECT_TIMEOUT, "CONNECT_TIMEOUT", connectTimeout.pollMilliseconds)
    try set(ZMQ_HANDSHAKE_IVL, "HANDSHAKE_IVL", handshakeTimeout.pollMilliseconds)
    try set(ZMQ_HEARTBEAT_IVL, "HEARTBEAT_IVL", heartbeatInterval.pollMilliseconds)
    try set(ZMQ_HEARTBEAT_TIMEOUT, "HEARTBEAT_TIMEOUT", heartbeatTimeout.pollMilliseconds)
    try set(ZMQ_HEARTBEAT_TTL, "HEARTBEAT_TTL", heartbeatTimeout.pollMilliseconds)
    try set(ZMQ_BACKLOG, "BACKLOG", backlog)
    try set(ZMQ_IPV6, "IPV6", allowsIPv6 ? 1 : 0)
    if kind == .router {
      // Without MANDATORY a message for a peer that is gone, or slow, vanishes without a word.
      // Without HANDOVER no stranger can take a connection's routing id over.
      try set(ZMQ_ROUTER_MANDATORY, "ROUTER_MANDATORY", 1)
      try set(ZMQ_ROUTER_HANDOVER, "ROUTER_HANDOVER", 0)
    }
    switch security {
    case .none: break
    case .curveServer(let keys, let zapDomain):
      try set(ZMQ_CURVE_SERVER, "CURVE_SERVER", 1)
      try setText(ZMQ_CURVE_SECRETKEY, "CURVE_SECRETKEY", keys.secretKey.z85)
      if let zapDomain { try setText(ZMQ_ZAP_DOMAIN, "ZAP_DOMAIN", zapDomain) }
    case .curveClient(let keys, let serverKey):
      try setText(ZMQ_CURVE_SERVERKEY, "CURVE_SERVERKEY", serverKey.z85)
      try setText(ZMQ_CURVE_PUBLICKEY, "CURVE_PUBLICKEY", keys.publicKey.z85)
      try setText(ZMQ_CURVE_SECRETKEY, "CURVE_SECRETKEY", keys.secretKey.z85)
    }

    // The value may be a secret, so the error names the option alone.
    func setText(_ option: Int32, _ name: String, _ value: String) throws(ZeroMQError) {
      guard zmq_setsockopt(socket, option, value, value.utf8.count) == 0 else {
        throw .last("set \(name) on a \(kind) socket")
      }
    }
  }
}

extension Duration {
  /// For libzmq's options and polls: rounded up, at least 0, at most what an Int32 holds.
  var pollMilliseconds: Int {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < Int64(Int32.max) / 1_000 else { return Int(Int32.max) }
    return Int(seconds) * 1_000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
