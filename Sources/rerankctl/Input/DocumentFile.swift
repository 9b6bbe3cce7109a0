import RerankdClient
import RerankdProtocol

/// Documents from a file: a line each, or JSONL when the first line is a JSON object.
enum DocumentFile {
  /// Empty lines are left out.
  ///
  /// - Parameter path: "-" for standard input.
  /// - Throws: ``InputError`` naming file and line.
  static func read(_ path: String) throws -> [Content] {
    var reader = try LineReader(path: path)
    var documents: [Content] = []
    var isJSONLines: Bool?
    while let line = reader.next() {
      guard !line.allSatisfy(\.isWhitespace) else { continue }
      let place = reader.place
      let readsJSON = isJSONLines ?? isJSONObject(line, at: place)
      isJSONLines = readsJSON
      guard readsJSON else {
        documents.append(Content(text: line))
        continue
      }
      do {
        documents.append(try ContentInput.content(JSONValue.parse(line, at: place)))
      } catch let error as InputError {
        throw error.description.hasPrefix(place) ? error : InputError("\(place): \(error)")
      }
    }
    if let error = reader.error { throw error }
    return documents
  }

  private static func isJSONObject(_ line: String, at place: String) -> Bool {
    guard line.drop(while: \.isWhitespace).hasPrefix("{") else { return false }
    return (try? JSONValue.parse(line, at: place)) != nil
  }
}
