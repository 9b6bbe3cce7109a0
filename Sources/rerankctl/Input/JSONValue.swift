import Foundation

/// Any JSON value: job lines are read key by key, so that a misspelt key can be named.
enum JSONValue: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// - Throws: ``InputError`` that says where the text stops being JSON.
  static func parse(_ text: some StringProtocol, at place: String) throws -> JSONValue {
    do {
      return try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    } catch {
      let reason = (error as? DecodingError).map(Self.reason) ?? "\(error)"
      throw InputError("\(place): not valid JSON: \(reason)")
    }
  }

  private static func reason(_ error: DecodingError) -> String {
    guard case .dataCorrupted(let context) = error else { return "\(error)" }
    let underlying = context.underlyingError as NSError?
    return underlying?.userInfo["NSDebugDescription"] as? String ?? context.debugDescription
  }
}
