import AsyncHTTPClient
import NIOCore
import Scoring

/// What a connection that failed means for a job. Another attempt can always help: the job itself
/// was not at fault.
enum TransportFailure {
  static func engineError(for error: any Error, backend: String) -> EngineError {
    if let error = error as? HTTPClientError, isTimeout(error) {
      return EngineError(
        code: .deadlineExceeded, message: "The backend \"\(backend)\" did not answer in time.",
        isRetryable: true)
    }
    // Errors of the transport name hosts and ports, never headers.
    let what =
      switch error {
      case let error as HTTPClientError: error.shortDescription
      default: "\(error)"
      }
    return EngineError(
      code: .unavailable, message: "The backend \"\(backend)\" cannot be reached: \(what).",
      isRetryable: true)
  }

  private static func isTimeout(_ error: HTTPClientError) -> Bool {
    [.readTimeout, .writeTimeout, .deadlineExceeded].contains(error)
  }
}
