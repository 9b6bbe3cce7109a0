import Foundation
import HTTPTypes
import Hummingbird

/// How errors are written: each API's clients look for their own.
enum ErrorStyle {
  case openAI
  case cohere
  case tei

  func response(_ error: APIError) -> Response {
    var headers: HTTPFields = [.contentType: "application/json"]
    if let retryAfter = error.retryAfter { headers[.retryAfter] = "\(retryAfter.secondsRoundedUp)" }
    if error.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
    return Response(status: error.status, headers: headers, body: .json(body(error)))
  }

  private func body(_ error: APIError) -> any Encodable & Sendable {
    switch self {
    case .openAI:
      OpenAIErrorBody(
        error: .init(
          message: error.message, type: error.type, param: error.param, code: error.code))
    case .cohere: CohereErrorBody(message: error.message)
    case .tei: TEIErrorBody(error: error.message, errorType: teiType(error.status))
    }
  }

  private func teiType(_ status: HTTPResponse.Status) -> String {
    switch status.code {
    case 400, 413, 422: "validation"
    case 401, 404: "empty"
    case 429, 503: "overloaded"
    default: "backend"
    }
  }
}

struct OpenAIErrorBody: Encodable {
  struct Details: Encodable {
    var message: String
    var type: String
    var param: String?
    var code: String?

    // Clients expect null, not absence.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(message, forKey: .message)
      try container.encode(type, forKey: .type)
      try container.encode(param, forKey: .param)
      try container.encode(code, forKey: .code)
    }

    enum CodingKeys: String, CodingKey {
      case message
      case type
      case param
      case code
    }
  }

  var error: Details
}

private struct CohereErrorBody: Encodable {
  var message: String
}

private struct TEIErrorBody: Encodable {
  var error: String
  var errorType: String

  enum CodingKeys: String, CodingKey {
    case error
    case errorType = "error_type"
  }
}

extension ResponseBody {
  static func json(_ value: any Encodable) -> ResponseBody {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // All that is answered are texts and finite numbers, which JSON has.
    let data = (try? encoder.encode(value)) ?? Data("null".utf8)
    return ResponseBody(byteBuffer: ByteBuffer(bytes: data))
  }
}

extension Duration {
  /// At least 1.
  var secondsRoundedUp: Int64 {
    max(1, components.seconds + (components.attoseconds > 0 ? 1 : 0))
  }
}
