import Foundation

/// A JSON Schema of 2020-12 with the keywords that this project's schemas have: any other one is a
/// problem, and is never passed over.
public struct JSONSchema: Sendable {
  private let definitions: JSON

  /// - Parameter path: a file whose definitions are in "$defs".
  public init(path: String) throws {
    definitions = try JSON(String(contentsOfFile: path, encoding: .utf8))["$defs"]
  }

  public var names: Set<String> {
    if case .object(let object) = definitions { Set(object.keys) } else { [] }
  }

  /// What of a value is not as a definition has it, each with its place; empty where all is.
  public func problems(of value: JSON, as definition: String) -> [String] {
    problems(value, definitions[definition], at: "$")
  }

  /// As ``problems(of:as:)``, for one line of JSON Lines: an item where the definition is a list.
  public func problems(ofLine line: JSON, as definition: String) -> [String] {
    let schemas = lineSchemas(definitions[definition])
    let found = schemas.map { problems(line, $0, at: "$") }
    return found.count { $0.isEmpty } == 1 ? [] : found.flatMap(\.self) + ["no such line"]
  }

  private func lineSchemas(_ schema: JSON) -> [JSON] {
    if case .list(let choices) = schema["oneOf"] { return choices.flatMap(lineSchemas) }
    if let target = schema["$ref"].text { return lineSchemas(resolved(target)) }
    return [schema["type"].text == "array" ? schema["items"] : schema]
  }

  private func resolved(_ reference: String) -> JSON {
    definitions[reference.replacing("#/$defs/", with: "")]
  }

  private func problems(_ value: JSON, _ schema: JSON, at place: String) -> [String] {
    guard case .object(let keywords) = schema else { return ["\(place): there is no such schema"] }
    return keywords.sorted { $0.key < $1.key }.flatMap { keyword, wanted in
      problems(value, keyword, wanted, schema, at: place)
    }
  }

  private func problems(
    _ value: JSON, _ keyword: String, _ wanted: JSON, _ schema: JSON, at place: String
  ) -> [String] {
    func demand(_ isSo: Bool) -> [String] {
      isSo ? [] : ["\(place): \(keyword) is to be \(wanted), in \(value)"]
    }
    switch keyword {
    case "description": return []
    case "$ref": return problems(value, resolved(wanted.text ?? ""), at: place)
    case "type": return demand(Self.type(of: value).contains(wanted.text ?? ""))
    case "const": return demand(value == wanted)
    case "enum": return demand(wanted.items.contains(value))
    case "minimum": return demand((value.number ?? .infinity) >= (wanted.number ?? .infinity))
    case "maximum": return demand((value.number ?? -.infinity) <= (wanted.number ?? -.infinity))
    case "maxItems": return demand(Double(value.items.count) <= (wanted.number ?? -1))
    case "pattern":
      let expression = wanted.text.flatMap { try? Regex($0) }
      return demand(expression.map { (value.text ?? "").firstMatch(of: $0) != nil } ?? false)
    case "oneOf":
      let found = wanted.items.map { problems(value, $0, at: place) }
      let fitting = found.count { $0.isEmpty }
      return fitting == 1 ? [] : ["\(place): \(fitting) of oneOf fit"] + found.flatMap(\.self)
    case "items":
      return value.items.enumerated().flatMap { problems($1, wanted, at: "\(place)[\($0)]") }
    case "required":
      return wanted.items.compactMap(\.text).filter { value[$0] == .null }
        .map { "\(place): \($0) is missing" }
    case "properties", "additionalProperties":
      guard case .object(let object) = value else { return [] }
      return object.flatMap { key, inner -> [String] in
        let known = schema["properties"][key]
        if keyword == "properties" {
          return known == .null ? [] : problems(inner, known, at: "\(place).\(key)")
        }
        guard known == .null else { return [] }
        guard wanted != .bool(false) else { return ["\(place): \(key) is not to be there"] }
        return problems(inner, wanted, at: "\(place).\(key)")
      }
    default: return ["\(place): the keyword \(keyword) is not known here"]
    }
  }

  private static func type(of value: JSON) -> Set<String> {
    switch value {
    case .null: ["null"]
    case .bool: ["boolean"]
    case .number(let number): number == number.rounded() ? ["integer", "number"] : ["number"]
    case .text: ["string"]
    case .list: ["array"]
    case .object: ["object"]
    }
  }
}
