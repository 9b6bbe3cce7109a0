/// Why an engine could not score: a gRPC status code, a sentence, and whether another attempt can
/// help.
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
  /// What the failure says of the backend; nil where it says nothing against it.
  public var backendFault: BackendFault?
  /// Whether the attempt counts against the job's. One that met a backend which takes nothing from
  /// anybody does not.
  public var spendsAttempt: Bool
  /// What was scored before the failure: the next attempt pays only for the rest.
  public var partialScores: PartialScores?

  public init(
    code: Code, message: String, isRetryable: Bool, retryAfter: Duration? = nil,
    backendFault: BackendFault? = nil, spendsAttempt: Bool = true,
    partialScores: PartialScores? = nil
  ) {
    self.code = code
    self.message = message
    self.isRetryable = isRetryable
    self.retryAfter = retryAfter
    self.backendFault = backendFault
    self.spendsAttempt = spendsAttempt
    self.partialScores = partialScores
  }

  public var description: String { message }
}

/// What a failure says of a remote backend as a whole.
public enum BackendFault: Sendable, Equatable {
  /// It refuses our credentials.
  case credentialsRefused
  /// It takes nothing for a while.
  case rateLimited
  /// No connection, no answer in time, or a failure of its own.
  case unavailable
}

/// Scores of some of a request's documents. They hold for the engine and the model that made them
/// alone.
public struct PartialScores: Sendable, Equatable {
  /// By the documents' positions in the request that was scored.
  public var scores: [Int: DocumentScore]
  public var scoreKind: ScoreKind
  /// As the engine names it.
  public var model: String
  /// What they took; nil when the engine was not told.
  public var usage: TokenUsage?

  public init(
    scores: [Int: DocumentScore], scoreKind: ScoreKind, model: String, usage: TokenUsage?
  ) {
    self.scores = scores
    self.scoreKind = scoreKind
    self.model = model
    self.usage = usage
  }
}
