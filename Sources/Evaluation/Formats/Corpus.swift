/// Documents by id, in the file's order: BEIR's corpus.jsonl.
///
///     {"_id": "d1", "title": "Glaciers", "text": "They move."}
///
/// A document's text is its title, a space and its text, without white space around it, as BEIR's
/// own evaluation has it.
public struct Corpus: Sendable, LineReadable {
  public private(set) var ids: [String] = []
  private var texts: [String: String] = [:]

  public init() {}

  public subscript(id: String) -> String? { texts[id] }

  private struct Line: Decodable {
    var _id: Identifier
    var title: String?
    var text: String?
  }

  public mutating func read(_ line: String, at place: String) throws(EvaluationError) {
    let document = try decodeLine(
      Line.self, line, at: place, shape: #"{"_id": "…", "title": "…", "text": "…"}"#)
    guard document.title != nil || document.text != nil else {
      throw .malformed(place, "the document has neither a title nor a text")
    }
    let id = document._id.text
    guard texts[id] == nil else {
      throw .contradiction(place, "a second document with the id \(id)")
    }
    ids.append(id)
    texts[id] = Self.trimmed("\(document.title ?? "") \(document.text ?? "")")
  }

  private static func trimmed(_ text: String) -> String {
    let isText: (Character) -> Bool = { !$0.isWhitespace }
    guard let first = text.firstIndex(where: isText), let last = text.lastIndex(where: isText)
    else { return "" }
    return String(text[first...last])
  }
}
