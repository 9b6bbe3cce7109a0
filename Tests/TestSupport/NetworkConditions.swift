/// What a ``FaultProxy`` does to the traffic. By default everything passes as it comes.
public struct NetworkConditions: Sendable, Equatable {
  public enum Entrance: Sendable, Equatable {
    case open
    /// Nothing listens on the port.
    case refused
    /// Each connection is taken and reset at once.
    case reset
    /// Connections are taken, and what comes on them is lost without a word, both ways.
    case blackHole
  }

  /// The end of a connection in the midst of what it carries.
  public struct Cut: Sendable, Equatable {
    public enum Direction: Sendable, Equatable {
      case request
      case answer
    }

    public enum End: Sendable, Equatable {
      /// A TCP reset, to both sides.
      case reset
      /// A FIN, as if the rest had never been.
      case close
    }

    public var direction: Direction
    /// Counted on each connection, from when these conditions came to be.
    public var afterBytes: Int
    public var end: End

    public init(_ direction: Direction, afterBytes: Int, by end: End) {
      self.direction = direction
      self.afterBytes = afterBytes
      self.end = end
    }
  }

  /// Of new connections. When it is refused or reset, those that are open are reset as well, and a
  /// black hole swallows them: clients keep connections, and would never meet the fault otherwise.
  public var entrance: Entrance
  /// Each way, and up to `jitter` more, which the proxy's seed chooses. Order is kept.
  public var latency: Duration
  public var jitter: Duration
  /// Of each connection, each way.
  public var bytesPerSecond: Int?
  /// Nothing moves and nothing ends; what waits goes on afterwards.
  public var isStill: Bool
  public var cut: Cut?

  public static let clear = NetworkConditions()

  public init(
    entrance: Entrance = .open, latency: Duration = .zero, jitter: Duration = .zero,
    bytesPerSecond: Int? = nil, isStill: Bool = false, cut: Cut? = nil
  ) {
    self.entrance = entrance
    self.latency = latency
    self.jitter = jitter
    self.bytesPerSecond = bytesPerSecond
    self.isStill = isStill
    self.cut = cut
  }
}
