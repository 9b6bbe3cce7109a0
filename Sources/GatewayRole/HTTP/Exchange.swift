import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import RerankdProtocol

/// One request, and the client that waits for its answer.
struct Exchange: Sendable {
  let request: Request
  let presence: PeerPresence
  /// nil for requests that are not traced.
  var span: RequestSpan?

  /// Reads the body, within the bounds of one and of all, and decodes it.
  ///
  /// - Parameter heldBytes: what was taken from the gate, and is the caller's to give back.
  /// - Throws: ``APIError``; `DecodingError` for JSON of another form.
  func body<Body: Decodable>(
    _ configuration: GatewayConfiguration, _ gate: RequestGate, _ heldBytes: inout Int
  ) async throws -> Body {
    let data = try await data(
      configuration, gate, &heldBytes, bytesMax: configuration.bodyBytesMax)
    return try JSONDecoder().decode(Body.self, from: data)
  }

  /// Reads the body, of so many bytes at most.
  func data(
    _ configuration: GatewayConfiguration, _ gate: RequestGate, _ heldBytes: inout Int,
    bytesMax: Int
  ) async throws -> Data {
    let tooLarge = APIError.tooLarge(
      "the body is larger than \(bytesMax) bytes; split it over several requests")
    if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > bytesMax {
      throw tooLarge
    }
    var data = Data()
    do {
      for try await chunk in request.body {
        let bytes = chunk.readableBytes
        guard data.count + bytes <= bytesMax else { throw tooLarge }
        guard gate.hold(bodyBytes: bytes) else {
          throw APIError.overloaded(
            "the requests under way hold \(configuration.bodyBytesTotalMax) bytes already",
            retryAfter: configuration.overloadRetryAfter)
        }
        heldBytes += bytes
        data.append(contentsOf: chunk.readableBytesView)
      }
    } catch where !(error is APIError) {
      throw APIError.clientGone
    }
    // A connection that was cut looks like a body that ended.
    if presence.isGone { throw APIError.clientGone }
    return data
  }

  /// The client's own, which makes a repeated request the same job.
  func idempotencyKey() throws -> String? {
    guard let key = request.headers[.idempotencyKey] else { return nil }
    guard (1...ProtocolLimits().idempotencyKeyBytesMax).contains(key.utf8.count) else {
      throw APIError.badRequest(
        "Idempotency-Key must have 1 to \(ProtocolLimits().idempotencyKeyBytesMax) bytes",
        param: "Idempotency-Key")
    }
    return key
  }

  /// How long the client waits, from its own header.
  func timeout() throws -> Duration? {
    guard let text = request.headers[.requestTimeout] else { return nil }
    guard let seconds = Double(text), seconds >= 0.001, seconds <= Self.timeoutSecondsMax else {
      throw APIError.badRequest(
        "X-Request-Timeout must be a number of seconds from 0.001 to \(Self.timeoutSecondsMax)",
        param: "X-Request-Timeout")
    }
    return .milliseconds(Int64((seconds * 1_000).rounded(.up)))
  }

  /// A week: no job lives longer.
  private static let timeoutSecondsMax = 604_800.0
}

extension Request {
  /// - Throws: ``APIError`` for a value that is neither true nor false.
  func flag(_ name: Substring) throws -> Bool? {
    guard let value = uri.queryParameters[name] else { return nil }
    switch value {
    case "true", "1": return true
    case "false", "0": return false
    default:
      throw APIError.badRequest("\(name) must be true or false", param: String(name))
    }
  }
}

extension HTTPField.Name {
  static func named(_ name: String) -> HTTPField.Name {
    guard let field = HTTPField.Name(name) else {
      preconditionFailure("\(name) is no header's name")
    }
    return field
  }

  static let idempotencyKey = named("Idempotency-Key")
  static let requestTimeout = named("X-Request-Timeout")
  static let traceparent = named("traceparent")
}
