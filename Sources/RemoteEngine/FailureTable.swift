import Foundation
import Scoring

/// What an HTTP status means for a job: the one place that decides it. The module's page has the same
/// table for people.
enum FailureTable {
  /// - Parameters:
  ///   - status: anything but 200.
  ///   - body: the answer's body, of which the server's own sentence is passed on.
  static func error(
    status: Int, body: [UInt8], retryAfter: Duration?, backend: String, token: BearerToken?,
    credentialsPause: Duration
  ) -> EngineError {
    let row = row(for: status)
    var sentence = "The backend \"\(backend)\" answered \(status)"
    if let said = serverMessage(in: body) {
      sentence += ": " + (token?.redacted(in: said) ?? said)
    }
    if !sentence.hasSuffix(".") { sentence += "." }
    if let advice = row.advice { sentence += " " + advice }
    return EngineError(
      code: row.code, message: sentence, isRetryable: row.isRetryable,
      retryAfter: row.isRetryable
        ? retryAfter ?? (row.fault == .credentialsRefused ? credentialsPause : nil) : nil,
      backendFault: row.fault, spendsAttempt: row.fault != .credentialsRefused)
  }

  struct Row {
    var code: EngineError.Code
    var isRetryable: Bool
    var fault: BackendFault?
    var advice: String?
  }

  static func row(for status: Int) -> Row {
    switch status {
    case 400, 413, 422:
      Row(code: .invalidArgument, isRetryable: false)
    case 401:
      Row(
        code: .unauthenticated, isRetryable: true, fault: .credentialsRefused,
        advice: "Check the token; the model rests until it is accepted.")
    case 402, 403:
      Row(
        code: .permissionDenied, isRetryable: true, fault: .credentialsRefused,
        advice: "Check what the account may use; the model rests until then.")
    case 404:
      Row(
        code: .notFound, isRetryable: false,
        advice: "Check the base URL and the model's served name.")
    case 408, 504:
      Row(code: .deadlineExceeded, isRetryable: true, fault: .unavailable)
    case 429:
      Row(code: .resourceExhausted, isRetryable: true, fault: .rateLimited)
    case 424, 425, 499, 502, 503:
      Row(code: .unavailable, isRetryable: true, fault: .unavailable)
    case 405, 501:
      Row(
        code: .unimplemented, isRetryable: false,
        advice: "The server at the base URL has no rerank API.")
    case 300..<400:
      Row(
        code: .failedPrecondition, isRetryable: false,
        advice: "Redirects are not followed: set the base URL to where they lead.")
    case 500...:
      Row(code: .internal, isRetryable: true, fault: .unavailable)
    case 400..<500:
      Row(code: .failedPrecondition, isRetryable: false)
    default:
      // A success without scores, or a status that HTTP does not know.
      Row(code: .internal, isRetryable: true)
    }
  }

  private static let messageCharactersMax = 300

  /// The sentence in `{"error":{"message":…}}`, `{"error":"…"}`, `{"message":…}` or `{"detail":…}`.
  static func serverMessage(in body: [UInt8]) -> String? {
    guard let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
    else { return nil }
    let text =
      (object["error"] as? [String: Any])?["message"] as? String ?? object["error"] as? String
      ?? object["message"] as? String ?? object["detail"] as? String
    guard let text, !text.isEmpty else { return nil }
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > messageCharactersMax
      ? line.prefix(messageCharactersMax) + "…" : line
  }
}
