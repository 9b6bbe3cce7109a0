/// A ranking for each of many queries, as TREC's runs and as lists of candidates have it.
///
/// Two formats, told apart by the first line: TREC's, "query-id Q0 document-id rank score tag",
/// whose order is that of the scores, and JSONL, where the list itself is the order:
///
///     {"query-id": "q1", "doc-ids": ["d7", "d3"]}
public struct RunFile: Sendable, LineReadable {
  private var documentsByQuery: [String: [ScoredDocument]] = [:]
  private var seen: [String: Set<String>] = [:]
  private var isJSONLines: Bool?

  public init() {}

  /// The query's documents, best first; nil for a query that the file does not name.
  public subscript(query: String) -> Ranking? { documentsByQuery[query].map { Ranking($0) } }

  public mutating func read(_ line: String, at place: String) throws(EvaluationError) {
    let readsJSON = isJSONLines ?? line.drop(while: \.isWhitespace).hasPrefix("{")
    isJSONLines = readsJSON
    if readsJSON {
      try readList(line, at: place)
    } else {
      try readScore(line, at: place)
    }
  }

  private struct ListLine: Decodable {
    var query: Identifier
    var documents: [Identifier]

    enum CodingKeys: String, CodingKey {
      case query = "query-id"
      case documents = "doc-ids"
    }
  }

  private mutating func readList(_ line: String, at place: String) throws(EvaluationError) {
    let list = try decodeLine(
      ListLine.self, line, at: place, shape: #"{"query-id": "…", "doc-ids": ["…"]}"#)
    let query = list.query.text
    guard documentsByQuery[query] == nil else {
      throw .contradiction(place, "a second list for query \(query)")
    }
    documentsByQuery[query] = []
    for (position, document) in list.documents.enumerated() {
      let score = Float(list.documents.count - position)
      try add(ScoredDocument(id: document.text, score: score), to: query, at: place)
    }
  }

  private mutating func readScore(_ line: String, at place: String) throws(EvaluationError) {
    let fields = line.split(whereSeparator: \.isWhitespace)
    guard fields.count == 6 else {
      throw .malformed(
        place, "expected \"query Q0 document rank score tag\" and found \(fields.count) fields")
    }
    guard let score = Float(fields[4]), score.isFinite else {
      throw .malformed(place, "the score has to be a number and is \"\(fields[4])\"")
    }
    let document = ScoredDocument(id: String(fields[2]), score: score)
    try add(document, to: String(fields[0]), at: place)
  }

  private mutating func add(
    _ document: ScoredDocument, to query: String, at place: String
  ) throws(EvaluationError) {
    guard seen[query, default: []].insert(document.id).inserted else {
      throw .contradiction(place, "document \(document.id) a second time for query \(query)")
    }
    documentsByQuery[query, default: []].append(document)
  }
}

extension Ranking {
  /// Lines of a TREC run, each with its end.
  ///
  /// - Throws: ``EvaluationError`` for ids with white space in them, which the format cannot hold.
  public func runLines(query: String, tag: String) throws(EvaluationError) -> String {
    var lines = ""
    for (position, document) in documents.enumerated() {
      for id in [query, document.id] where id.isEmpty || id.contains(where: \.isWhitespace) {
        throw EvaluationError(
          code: .mismatch,
          message: "the id \"\(id)\" has white space in it, which a TREC run cannot hold")
      }
      lines += "\(query) Q0 \(document.id) \(position + 1) \(document.score) \(tag)\n"
    }
    return lines
  }
}
