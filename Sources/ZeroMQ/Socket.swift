internal import CZeroMQ

/// A ZeroMQ socket. It belongs to the thread that made it and is not Sendable for that reason.
public final class Socket {
  public enum Kind: Sendable {
    case router, dealer, push, pull, pair
  }

  public let kind: Kind
  let pointer: UnsafeMutableRawPointer
  private let context: Context
  /// Whether messages carry the peer's User-Id.
  let identifiesPeers: Bool
  private var isOpen = true

  public init(
    _ kind: Kind, in context: Context, options: SocketOptions = SocketOptions()
  ) throws(ZeroMQError) {
    guard let pointer = zmq_socket(context.pointer, kind.number) else {
      throw .last("open a \(kind) socket")
    }
    self.kind = kind
    self.pointer = pointer
    self.context = context
    if case .curveServer = options.security {
      identifiesPeers = true
    } else {
      identifiesPeers = false
    }
    do {
      try options.apply(to: pointer, kind: kind)
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  /// Returns at once; what waits to be sent goes out within the linger time. A socket that a
  /// `Poller` knows is removed there first.
  public func close() {
    guard isOpen else { return }
    isOpen = false
    zmq_close(pointer)
  }

  /// - Returns: the endpoint with the port that was taken, where "tcp://127.0.0.1:*" left it open.
  @discardableResult
  public func bind(_ endpoint: Endpoint) throws(ZeroMQError) -> Endpoint {
    guard zmq_bind(pointer, endpoint.text) == 0 else { throw .last("bind to \(endpoint)") }
    return try lastEndpoint
  }

  /// Returns at once; the connection is made, and made again, in the background.
  public func connect(_ endpoint: Endpoint) throws(ZeroMQError) {
    guard zmq_connect(pointer, endpoint.text) == 0 else { throw .last("connect to \(endpoint)") }
  }

  /// The endpoint last bound or connected to, with its port.
  public var lastEndpoint: Endpoint {
    get throws(ZeroMQError) {
      var text = [UInt8](repeating: 0, count: 1_024)
      var count = text.count
      guard zmq_getsockopt(pointer, ZMQ_LAST_ENDPOINT, &text, &count) == 0 else {
        throw .last("read the last endpoint")
      }
      return try Endpoint(String(decoding: text.prefix { $0 != 0 }, as: UTF8.self))
    }
  }
}

extension Socket.Kind {
  var number: Int32 {
    switch self {
    case .router: ZMQ_ROUTER
    case .dealer: ZMQ_DEALER
    case .push: ZMQ_PUSH
    case .pull: ZMQ_PULL
    case .pair: ZMQ_PAIR
    }
  }
}
