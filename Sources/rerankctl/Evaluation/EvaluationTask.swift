import Evaluation

/// The judged queries with their candidates: what every ranker is given.
struct EvaluationTask: Sendable {
  struct Files {
    var queries: String
    var qrels: String
    var corpus: String?
    var candidates: String?
  }

  struct JudgedQuery: Sendable {
    var id: String
    var text: String
    /// Grade by document.
    var grades: [String: Int]
    /// As the first stage ranked them.
    var candidates: Ranking

    var candidateIDs: [String] { candidates.documents.map(\.id) }
  }

  /// In the order of their file.
  var queries: [JudgedQuery] = []
  var corpus: Corpus?
  /// Where candidates are found by it, or a ranker is.
  var bm25: BM25Index?
  /// Where the candidates come from, for people.
  var candidateSource: String
  var queriesWithoutJudgements = 0
  var queriesWithoutCandidates = 0

  var pairs: Int { queries.reduce(0) { $0 + $1.candidates.documents.count } }

  /// - Throws: ``InputError`` and `EvaluationError`, naming file and line.
  static func load(
    _ files: Files, depth: Int, limitQueries: Int?, bm25 parameters: BM25Index.Parameters,
    ranksByBM25: Bool
  ) throws -> EvaluationTask {
    let queries = try QueryList(path: files.queries).queries
    let judgements = try Judgements(path: files.qrels)
    let candidates = try files.candidates.map { try RunFile(path: $0) }
    let corpus = try files.corpus.map { try Corpus(path: $0) }
    let needsIndex = ranksByBM25 || candidates == nil
    let index = try needsIndex ? corpus.map { try BM25Index(of: $0, parameters: parameters) } : nil
    let source =
      files.candidates
      ?? "BM25 over \(files.corpus ?? "") (\(corpus?.ids.count ?? 0) documents)"
    var task = EvaluationTask(corpus: corpus, bm25: index, candidateSource: source)
    for query in queries {
      if task.queries.count == limitQueries { break }
      guard let grades = judgements[query.id] else {
        task.queriesWithoutJudgements += 1
        continue
      }
      let first =
        candidates.map { $0[query.id] } ?? index?.search(query.text, depth: depth)
      guard let first, !first.documents.isEmpty else {
        task.queriesWithoutCandidates += 1
        continue
      }
      task.queries.append(
        JudgedQuery(
          id: query.id, text: query.text, grades: grades,
          candidates: Ranking(first.documents.prefix(depth))))
    }
    try task.check(files)
    return task
  }

  private func check(_ files: Files) throws {
    guard !queries.isEmpty else {
      throw InputError(
        "no query of \(files.queries) has judgements in \(files.qrels) and candidates in "
          + "\(candidateSource): \(queriesWithoutJudgements) have no judgements, "
          + "\(queriesWithoutCandidates) no candidates; do the files belong together?")
    }
    guard let corpus, let path = files.corpus else { return }
    for query in queries {
      for id in query.candidateIDs where corpus[id] == nil {
        throw InputError(
          "\(candidateSource): query \(query.id) has the candidate \(id), which \(path) does not "
            + "have")
      }
    }
  }
}

extension LineReadable {
  /// Reads a file; blank lines are left out.
  ///
  /// - Parameter path: "-" for standard input.
  init(path: String) throws {
    self.init()
    var reader = try LineReader(path: path)
    while let line = reader.next() {
      guard !line.allSatisfy(\.isWhitespace) else { continue }
      try read(line, at: reader.place)
    }
    if let error = reader.error { throw error }
  }
}
