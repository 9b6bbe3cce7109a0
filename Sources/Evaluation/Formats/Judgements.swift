/// Which documents are relevant to which queries, and how much.
///
/// Two formats, told apart by the first line: BEIR's qrels.tsv, "query-id document-id grade" with
/// or without its line of names, and TREC's qrels, "query-id 0 document-id grade". Grades are whole
/// numbers; those below 1 say that a document is not relevant.
public struct Judgements: Sendable, LineReadable {
  private var gradesByQuery: [String: [String: Int]] = [:]
  private var columnCount: Int?

  public init() {}

  /// Grade by document; nil for a query without judgements.
  public subscript(query: String) -> [String: Int]? { gradesByQuery[query] }

  public mutating func read(_ line: String, at place: String) throws(EvaluationError) {
    let fields = Self.fields(of: line)
    let isFirst = columnCount == nil
    let columns = columnCount ?? fields.count
    guard columns == 3 || columns == 4, fields.count == columns else {
      throw .malformed(
        place,
        isFirst
          ? "expected \"query document grade\" (BEIR) or \"query 0 document grade\" (TREC)"
          : "expected \(columns) fields, as in the lines before, and found \(fields.count)")
    }
    columnCount = columns
    if isFirst, fields[0].lowercased() == "query-id" || fields[columns - 1].lowercased() == "score"
    {
      return
    }
    guard let grade = Int(fields[columns - 1]) else {
      throw .malformed(
        place, "the grade has to be a whole number and is \"\(fields[columns - 1])\"")
    }
    let (query, document) = (String(fields[0]), String(fields[columns - 2]))
    let former = gradesByQuery[query, default: [:]].updateValue(grade, forKey: document)
    guard former == nil || former == grade else {
      throw .contradiction(
        place,
        "document \(document) has a second grade for query \(query): \(grade), "
          + "not \(former ?? grade)")
    }
  }

  /// Between tabs where there are any, since an id may then have a space in it.
  private static func fields(of line: String) -> [Substring] {
    line.contains("\t")
      ? line.split(separator: "\t").map(trimmed)
      : line.split(whereSeparator: \.isWhitespace)
  }

  private static func trimmed(_ field: Substring) -> Substring {
    let start = field.drop(while: \.isWhitespace)
    guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return start }
    return start[...last]
  }
}
