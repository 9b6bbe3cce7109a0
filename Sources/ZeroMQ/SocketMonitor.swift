internal import CZeroMQ

/// What happens to a socket's connections: made, broken, refused. It belongs to the thread of the
/// socket that it watches, and is closed before it.
public final class SocketMonitor {
  public enum Event: Sendable, Equatable {
    /// The ZMTP handshake is done, security included.
    case ready
    case disconnected
    /// The peer broke the protocol, or its security mechanism is another one.
    case handshakeFailed
    /// The peer's CURVE key was refused.
    case authenticationFailed
    /// Nothing listens there, or no way leads there; libzmq tries again after a while.
    case unreachable
  }

  private static let watched =
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
    | ZMQ_EVENT_CONNECT_RETRIED

  /// To be added to the owner's `Poller`.
  public let socket: Socket
  private let watchedPointer: UnsafeMutableRawPointer

  /// - Parameter name: unique in the context.
  public init(_ watched: Socket, in context: Context, name: String) throws(ZeroMQError) {
    let endpoint = try Endpoint("inproc://monitor-\(name)")
    guard zmq_socket_monitor(watched.pointer, endpoint.text, Self.watched) == 0 else {
      throw .last("monitor a \(watched.kind) socket")
    }
    watchedPointer = watched.pointer
    var options = SocketOptions()
    options.linger = .zero
    options.queuesWithoutPeer = true
    socket = try Socket(.pair, in: context, options: options)
    try socket.connect(endpoint)
  }

  /// The next event, if there is one.
  public func next() throws(ZeroMQError) -> Event? {
    let bounds = Socket.MultipartBounds(framesMax: 2, bytesMax: 4_096)
    while case .message(let received) = try socket.receive(bounds: bounds) {
      // Frame 0 is the event's number in the machine's byte order, then its value.
      guard let event = received.frames.first, event.count == 6 else { continue }
      switch Int32(event.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .ready
      case ZMQ_EVENT_DISCONNECTED: return .disconnected
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return .authenticationFailed
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return .handshakeFailed
      case ZMQ_EVENT_CONNECT_RETRIED: return .unreachable
      default: continue
      }
    }
    return nil
  }

  public func close() {
    zmq_socket_monitor(watchedPointer, nil, 0)
    socket.close()
  }
}
