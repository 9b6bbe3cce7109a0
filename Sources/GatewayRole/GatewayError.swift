/// Why a gateway cannot start or go on.
public struct GatewayError: Error, CustomStringConvertible {
  public enum Code: Sendable, Equatable {
    /// A setting, or a file that a setting names.
    case configuration
    /// The port, or the connection to the queue.
    case socket
  }

  public var code: Code
  /// What was wrong, where, and what to do.
  public var message: String
  public var underlying: (any Error)?

  public init(code: Code, message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }

  public var description: String {
    underlying.map { "\(message): \($0)" } ?? message
  }
}
