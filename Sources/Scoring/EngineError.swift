/// Why an engine could not score: a gRPC status code, a sentence, and whether another attempt can help.
public struct EngineError: Error, Sendable, CustomStringConvertible {
  /// The gRPC status codes that engines use, with google.rpc.Code's numbers.
  public enum Code: UInt32, Sendable {
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case outOfRange = 11
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case unauthenticated = 16
  }

  public var code: Code
  /// What was wrong, where, and what to do; never a credential.
  public var message: String
  /// Whether another attempt can help.
  public var isRetryable: Bool
  /// Not before this long from now, where the backend said so.
  public var retryAfter: Duration?
  /// The backend refuses our credentials: no attempt is spent, and the model rests.
  public var pausesModel: Bool

  public init(
    code: Code, message: String, isRetryable: Bool, retryAfter: Duration? = nil,
    pausesModel: Bool = false
  ) {
    self.code = code
    self.message = message
    self.isRetryable = isRetryable
    self.retryAfter = retryAfter
    self.pausesModel = pausesModel
  }

  public var description: String { message }
}
