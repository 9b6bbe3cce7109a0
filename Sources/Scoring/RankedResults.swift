/// Documents by their scores, best first.
public struct RankedResults: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    /// Position in the request.
    public var index: Int
    public var relevanceScore: Float

    public init(index: Int, relevanceScore: Float) {
      self.index = index
      self.relevanceScore = relevanceScore
    }
  }

  /// Higher ranking keys first; of equal ones, the document that stands first in the request.
  public var entries: [Entry]

  /// - Parameters:
  ///   - scores: of all documents that were scored.
  ///   - indices: each score's position in the request, ascending; nil when all were scored.
  ///   - topN: how many of the best are kept; 0 keeps all.
  /// - Throws: ``EngineError`` with ``EngineError/Code/internal`` for scores that are not numbers, or
  ///   too few or too many: the engine is at fault, and scoring is repeatable.
  public init(
    scores: [DocumentScore], indices: [Int]? = nil, documentCount: Int, topN: Int = 0
  ) throws(EngineError) {
    guard scores.count == (indices?.count ?? documentCount) else {
      throw Self.fault(
        "the engine gave \(scores.count) scores for \(indices?.count ?? documentCount) documents")
    }
    let indices = indices ?? Array(0..<documentCount)
    for (score, index) in zip(scores, indices)
    where !score.relevanceScore.isFinite || !score.rankingKey.isFinite {
      throw Self.fault("the engine gave no number as the score of document \(index)")
    }
    let order = scores.indices.sorted {
      (scores[$0].rankingKey, -$0) > (scores[$1].rankingKey, -$1)
    }
    entries = order.prefix(topN > 0 ? topN : order.count).map {
      Entry(index: indices[$0], relevanceScore: scores[$0].relevanceScore)
    }
  }

  private static func fault(_ message: String) -> EngineError {
    EngineError(code: .internal, message: message, isRetryable: false)
  }
}
