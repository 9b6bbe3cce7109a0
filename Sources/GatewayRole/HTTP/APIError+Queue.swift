import HTTPTypes
import RerankdProtocol

/// What the queue, or a job's end, means in HTTP.
extension APIError {
  /// - Parameter retryAfter: where an error that a retry can help says no time itself.
  init(_ error: CallError, retryAfter: Duration) {
    let field = error.details.violations.first.map { Self.field($0.field) }
    switch error.code {
    case .invalidArgument, .outOfRange:
      self.init(
        status: .unprocessableContent, type: "invalid_request_error", message: error.message,
        param: field, code: "invalid_argument")
    case .notFound where error.details.reason == "MODEL_UNKNOWN":
      self = .unknownModel(error.details.resource)
    case .notFound:
      self.init(
        status: .notFound, type: "invalid_request_error", message: error.message, code: "not_found")
    case .alreadyExists:
      self.init(
        status: .conflict, type: "invalid_request_error", message: error.message,
        param: "Idempotency-Key", code: "idempotency_key_reused")
    case .cancelled:
      self.init(
        status: .conflict, type: "invalid_request_error", message: error.message,
        code: "job_cancelled")
    case .resourceExhausted:
      self.init(
        status: .tooManyRequests, type: "rate_limit_error", message: error.message,
        code: "overloaded", retryAfter: error.retryAfter ?? retryAfter)
    case .unavailable, .aborted:
      self.init(
        status: .serviceUnavailable, type: "server_error", message: error.message,
        code: "unavailable", retryAfter: error.retryAfter ?? retryAfter)
    case .deadlineExceeded:
      self.init(
        status: .gatewayTimeout, type: "timeout_error", message: error.message,
        code: "deadline_exceeded")
    // Refused credentials are the gateway's or the worker's towards others, never the client's.
    case .ok, .unknown, .permissionDenied, .failedPrecondition, .unimplemented, .internal,
      .dataLoss, .unauthenticated:
      self.init(
        status: .internalServerError, type: "server_error", message: error.message,
        code: "\(error.code)".lowercased())
    }
  }

  /// "job.request.documents[3]" is the client's "documents[3]".
  private static func field(_ path: String) -> String {
    for prefix in ["job.request.", "job.spec.", "jobs[0].request.", "jobs[0].spec."]
    where path.hasPrefix(prefix) {
      return String(path.dropFirst(prefix.count))
    }
    return path
  }
}
