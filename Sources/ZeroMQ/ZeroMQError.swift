internal import CZeroMQ
internal import Glibc

/// A libzmq or system call that failed.
public struct ZeroMQError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The errno of the call; `EINVAL` for what this module refuses itself.
  public var code: Int32
  /// What could not be done, with what, and why.
  public var message: String

  public init(code: Int32, message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }

  /// The endpoint is taken by another socket.
  public var isAddressInUse: Bool { code == EADDRINUSE }

  /// For what is refused before libzmq is asked.
  public static func invalid(_ message: String) -> ZeroMQError {
    ZeroMQError(code: EINVAL, message: message)
  }

  /// For a call that has just failed; reads errno.
  static func last(_ operation: String) -> ZeroMQError {
    let code = zmq_errno()
    return ZeroMQError(
      code: code, message: "cannot \(operation): \(String(cString: zmq_strerror(code)))")
  }
}
