import Foundation
import HTTPTypes

/// Why a request is answered with something else than 200, for the client that made it.
struct APIError: Error, Equatable {
  var status: HTTPResponse.Status
  /// A stable word: "invalid_request_error", "rate_limit_error"…
  var type: String
  /// A sentence: what was wrong, where, what to do.
  var message: String
  /// The field, or header, that it is about.
  var param: String?
  /// Narrower than the type: "model_not_found".
  var code: String?
  /// Not before so long from now.
  var retryAfter: Duration?
}

extension APIError {
  /// The request itself cannot be understood.
  static func badRequest(_ message: String, param: String? = nil) -> APIError {
    APIError(status: .badRequest, type: "invalid_request_error", message: message, param: param)
  }

  static func tooLarge(_ message: String, param: String? = nil) -> APIError {
    APIError(
      status: .contentTooLarge, type: "invalid_request_error", message: message, param: param,
      code: "request_too_large")
  }

  static func tooManyDocuments(_ count: Int, max: Int) -> APIError {
    .tooLarge("there are \(count) documents; the limit is \(max)", param: "documents")
  }

  static func unauthorized(_ message: String) -> APIError {
    APIError(
      status: .unauthorized, type: "authentication_error", message: message,
      code: "invalid_api_key")
  }

  static func unknownModel(_ name: String) -> APIError {
    APIError(
      status: .notFound, type: "invalid_request_error",
      message: "there is no model \"\(name)\" for you; GET /v1/models says which there are",
      param: "model", code: "model_not_found")
  }

  static func unknownJob(_ id: String) -> APIError {
    APIError(
      status: .notFound, type: "invalid_request_error", message: "there is no job \(id)",
      code: "job_not_found")
  }

  static func overloaded(_ message: String, retryAfter: Duration) -> APIError {
    APIError(
      status: .serviceUnavailable, type: "overloaded_error", message: message, code: "overloaded",
      retryAfter: retryAfter)
  }

  /// Nobody reads the answer any more; the number is for the metrics.
  static let clientGone = APIError(
    status: .init(code: 499, reasonPhrase: "Client Closed Request"), type: "client_gone",
    message: "the client went away")

  /// From what the JSON decoder said.
  init(_ error: DecodingError) {
    let context: DecodingError.Context
    switch error {
    case .keyNotFound(let key, let where_):
      context = where_
      let path = Self.path(where_.codingPath + [key])
      self = .badRequest("\(path) is missing", param: path)
      return
    case .typeMismatch(_, let where_), .valueNotFound(_, let where_): context = where_
    case .dataCorrupted(let where_): context = where_
    @unknown default:
      self = .badRequest("the body cannot be read")
      return
    }
    let path = Self.path(context.codingPath)
    let message = context.debugDescription
    if path.isEmpty {
      self = .badRequest("the body is no JSON object of the form that this route takes: \(message)")
    } else {
      self = .badRequest("\(path): \(message)", param: path)
    }
  }

  /// "documents[2].text"
  private static func path(_ keys: [any CodingKey]) -> String {
    keys.reduce(into: "") { path, key in
      if let index = key.intValue {
        path += "[\(index)]"
      } else {
        path += (path.isEmpty ? "" : ".") + key.stringValue
      }
    }
  }
}
