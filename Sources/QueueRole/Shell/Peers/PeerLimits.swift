public import RerankdProtocol

/// What the queue takes from its peers: connections, calls, bytes in flight, silence.
public struct PeerLimits: Sendable, Equatable {
  /// Peers on each of the two sockets. More are refused with RESOURCE_EXHAUSTED.
  public var peersMax = 4_096
  /// The wire's own limits: frames, messages, windows, calls open at once per peer.
  public var wire = ProtocolLimits()
  /// Bytes of unfinished messages of one peer, all calls together, and of all peers.
  public var assemblingBytesPerPeerMax = 128 << 20
  public var assemblingBytesMax = 512 << 20
  /// A peer that says nothing for so long (four of its heartbeats of 5 s) is gone.
  public var silence: Duration = .seconds(20)
  /// Connections remembered whose sessions were given up, so that their clients can be told.
  public var forgottenMax = 8_192
  /// A call's timeout is cut to this.
  public var callTimeoutMax: Duration = .seconds(24 * 3_600)

  public init() {}
}
