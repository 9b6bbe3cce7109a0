import Foundation

/// The classic lexical ranker, for candidate lists and for comparison.
///
/// A document's score is the sum, over the query's terms as often as they stand there, of
///
///     ln(1 + (N − n + 0.5) / (n + 0.5)) · tf / (tf + k1 (1 − b + b · length / mean length))
///
/// Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), in the
/// form that Lucene computes, with exact lengths. The number of documents N, of those with the term
/// n, and the mean length are those of the corpus given.
public struct BM25Index: Sendable {
  public struct Parameters: Sendable, Equatable {
    /// How soon a repeated term stops counting; at least 0.
    public var k1 = 0.9
    /// How much a document's length counts, from 0 to 1.
    public var b = 0.4
    public var analysis = TextAnalysis.english

    public init() {}

    func validate() throws(EvaluationError) {
      guard k1 >= 0, k1.isFinite, (0...1).contains(b) else {
        throw EvaluationError(
          code: .invalidSetting,
          message: "BM25 takes a k1 of 0 or more and a b from 0 to 1, not \(k1) and \(b)")
      }
    }
  }

  private struct Posting {
    var document: Int32
    var count: Int32
  }

  public let parameters: Parameters
  private let documentIDs: [String]
  private let positions: [String: Int]
  private var postings: [String: [Posting]] = [:]
  /// k1 (1 − b + b · length / mean length) of each document.
  private let lengthTerms: [Double]

  /// - Throws: ``EvaluationError`` for parameters out of range.
  public init(
    of corpus: Corpus, parameters: Parameters = Parameters()
  ) throws(EvaluationError) {
    try parameters.validate()
    self.parameters = parameters
    documentIDs = corpus.ids
    positions = Dictionary(
      uniqueKeysWithValues: corpus.ids.enumerated().map { ($0.element, $0.offset) })
    var lengths: [Int] = []
    var stems: [String: String] = [:]
    for (position, id) in corpus.ids.enumerated() {
      let terms = parameters.analysis.terms(of: corpus[id] ?? "", stems: &stems)
      lengths.append(terms.count)
      for (term, count) in Self.counts(of: terms) {
        postings[term, default: []].append(
          Posting(document: Int32(position), count: Int32(count)))
      }
    }
    let mean = Double(lengths.reduce(0, +)) / Double(max(1, lengths.count))
    lengthTerms = lengths.map { length in
      let share = mean > 0 ? Double(length) / mean : 1
      return parameters.k1 * (1 - parameters.b + parameters.b * share)
    }
  }

  /// The documents that share a term with the query, best first.
  public func search(_ query: String, depth: Int) -> Ranking {
    let scores = scores(of: query)
    let matches = scores.indices.lazy.filter { scores[$0] > 0 }
    let ranking = Ranking(matches.map { scored($0, scores) })
    return Ranking(ranking.documents.prefix(depth))
  }

  /// Scores documents of the corpus; others have 0, as those that share no term with the query.
  public func rank(_ documents: [String], for query: String) -> Ranking {
    let scores = scores(of: query)
    return Ranking(
      documents.map { id in
        positions[id].map { scored($0, scores) } ?? ScoredDocument(id: id, score: 0)
      })
  }

  private func scored(_ position: Int, _ scores: [Double]) -> ScoredDocument {
    ScoredDocument(id: documentIDs[position], score: Float(scores[position]))
  }

  /// Of every document of the corpus.
  private func scores(of query: String) -> [Double] {
    var scores = [Double](repeating: 0, count: documentIDs.count)
    let counts = Self.counts(of: parameters.analysis.terms(of: query))
    // In a fixed order, so that equal documents get equal sums in every run.
    for (term, queryCount) in counts.sorted(by: { $0.key < $1.key }) {
      guard let found = postings[term] else { continue }
      let matching = Double(found.count)
      let idf = log(1 + (Double(documentIDs.count) - matching + 0.5) / (matching + 0.5))
      for posting in found {
        let document = Int(posting.document)
        let count = Double(posting.count)
        scores[document] += Double(queryCount) * idf * count / (count + lengthTerms[document])
      }
    }
    return scores
  }

  private static func counts(of terms: [String]) -> [String: Int] {
    terms.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }
}
