/// A document as a ranker scored it for one query.
public struct ScoredDocument: Sendable, Equatable {
  public var id: String
  /// Orders the documents, higher first.
  public var score: Float
  /// Of being relevant, 0 to 1, where the ranker states one.
  public var probability: Float?

  public init(id: String, score: Float, probability: Float? = nil) {
    self.id = id
    self.score = score
    self.probability = probability
  }
}

/// One query's documents, best first, in the order in which trec_eval judges them: by score, and of
/// equal scores the document whose id is the greater byte string. Scores are compared in single
/// precision, as there, so that a saved run has the same metrics.
public struct Ranking: Sendable, Equatable {
  public let documents: [ScoredDocument]

  public init(_ documents: some Sequence<ScoredDocument>) {
    self.documents = documents.sorted(by: Self.precedes)
  }

  static func precedes(_ first: ScoredDocument, _ second: ScoredDocument) -> Bool {
    guard first.score == second.score else { return first.score > second.score }
    return second.id.utf8.lexicographicallyPrecedes(first.id.utf8)
  }
}
