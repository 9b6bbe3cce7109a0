import Foundation

/// What is read from a file line by line, so that files need not fit into memory as text.
public protocol LineReadable {
  init()

  /// Takes a line that is not blank.
  ///
  /// - Parameter place: "FILE:LINE", which errors begin with.
  /// - Throws: ``EvaluationError`` when the line does not follow its format, or contradicts an
  ///   earlier one.
  mutating func read(_ line: String, at place: String) throws(EvaluationError)
}

/// Decodes a line of JSON, and words what is wrong with it.
func decodeLine<Line: Decodable>(
  _ type: Line.Type, _ line: String, at place: String, shape: String
) throws(EvaluationError) -> Line {
  do {
    return try JSONDecoder().decode(type, from: Data(line.utf8))
  } catch {
    throw EvaluationError(
      code: .malformedLine, message: "\(place): expected a JSON object like \(shape)",
      underlying: error)
  }
}

extension EvaluationError {
  static func malformed(_ place: String, _ message: String) -> EvaluationError {
    EvaluationError(code: .malformedLine, message: "\(place): \(message)")
  }

  static func contradiction(_ place: String, _ message: String) -> EvaluationError {
    EvaluationError(code: .contradiction, message: "\(place): \(message)")
  }
}

/// An id as data sets write it: a text or a whole number.
struct Identifier: Decodable {
  var text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int.self) {
      text = String(number)
    } else {
      text = try container.decode(String.self)
    }
  }
}
