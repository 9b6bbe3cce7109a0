/// Why a queue does not start, or stops.
public struct QueueError: Error, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// A value of the configuration cannot work; the message names its key.
    case configuration
    /// The ledger could not be opened.
    case ledger
    /// A socket could not be opened or bound, or failed.
    case socket
  }

  public let code: Code
  public let message: String
  public let underlying: (any Error)?

  init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }

  public var description: String {
    underlying.map { "\(message): \($0)" } ?? message
  }
}
