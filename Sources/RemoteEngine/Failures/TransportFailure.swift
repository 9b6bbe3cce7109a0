import AsyncHTTPClient
import NIOCore
import Scoring

/// What a connection that failed means for a job. Another attempt can always help: the job itself
/// was not at fault.
enum TransportFailure {
  static func engineError(
    for error: any Error, configuration: RemoteEngineConfiguration
  ) -> EngineError {
    let name = configuration.name
    guard let error = error as? HTTPClientError else {
      // Errors of the transport name hosts and ports, never headers.
      return unreachable(name, "\(error)")
    }
    if [.readTimeout, .writeTimeout, .deadlineExceeded].contains(error) {
      return EngineError(
        code: .deadlineExceeded, message: "The backend \"\(name)\" did not answer in time.",
        isRetryable: true, backendFault: .unavailable)
    }
    if error == .proxyAuthenticationRequired {
      return EngineError(
        code: .unauthenticated,
        message: "The proxy before the backend \"\(name)\" refused the credentials; check them.",
        isRetryable: true, retryAfter: configuration.credentialsPause,
        backendFault: .credentialsRefused, spendsAttempt: false)
    }
    return unreachable(name, error.shortDescription)
  }

  private static func unreachable(_ name: String, _ what: String) -> EngineError {
    EngineError(
      code: .unavailable, message: "The backend \"\(name)\" cannot be reached: \(what).",
      isRetryable: true, backendFault: .unavailable)
  }
}
