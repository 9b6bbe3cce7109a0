import Scoring

/// A request that brought no scores: what it means for the job, and what may be done about it
/// within the attempt.
struct RequestFailure: Error, Sendable {
  enum Blame: Sendable {
    /// The backend's state; another request would meet it as well.
    case backend
    /// What every part of the job has.
    case request
    /// The request has too many documents…
    case tooManyDocuments
    /// …or too many bytes; fewer would do.
    case tooManyBytes
    /// One of the documents, for certain.
    case document
    /// Perhaps one of the documents: to be found out.
    case unclear
  }

  var error: EngineError
  var blame = Blame.backend

  /// Whether the server said the very same: a fault that comes and goes hardly does.
  func isSame(as other: RequestFailure) -> Bool {
    blame == other.blame && error.code == other.error.code && error.message == other.error.message
  }
}

extension RequestFailure {
  /// - Parameters:
  ///   - status: anything but 200.
  ///   - body: the answer's body, of which the server's own sentence is passed on.
  init(
    status: Int, body: [UInt8], retryAfter: Duration?, token: BearerToken?,
    configuration: RemoteEngineConfiguration
  ) {
    let said = ServerSentence(in: body, without: token)
    let row = FailureTable.row(for: status, said: said, dialect: configuration.dialect)
    var sentence = "The backend \"\(configuration.name)\" answered \(status)"
    if let text = said?.text { sentence += ": " + text }
    if !sentence.hasSuffix(".") { sentence += "." }
    if let advice = row.advice { sentence += " " + advice }
    let pause = row.fault == .credentialsRefused ? configuration.credentialsPause : nil
    self.init(
      error: EngineError(
        code: row.code, message: sentence, isRetryable: row.isRetryable,
        retryAfter: row.isRetryable ? retryAfter ?? pause : nil, backendFault: row.fault,
        spendsAttempt: row.spendsAttempt),
      blame: row.blame)
  }
}
