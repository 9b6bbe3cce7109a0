/// Queries in the file's order: BEIR's queries.jsonl.
///
///     {"_id": "q1", "text": "how do glaciers move?"}
public struct QueryList: Sendable, LineReadable {
  public struct Query: Sendable, Equatable {
    public var id: String
    public var text: String

    public init(id: String, text: String) {
      self.id = id
      self.text = text
    }
  }

  public private(set) var queries: [Query] = []
  private var ids: Set<String> = []

  public init() {}

  private struct Line: Decodable {
    var _id: Identifier
    var text: String
  }

  public mutating func read(_ line: String, at place: String) throws(EvaluationError) {
    let query = try decodeLine(
      Line.self, line, at: place, shape: #"{"_id": "…", "text": "…"}"#)
    let id = query._id.text
    guard query.text.contains(where: { !$0.isWhitespace }) else {
      throw .malformed(place, "the query \(id) is empty")
    }
    guard ids.insert(id).inserted else {
      throw .contradiction(place, "a second query with the id \(id)")
    }
    queries.append(Query(id: id, text: query.text))
  }
}
