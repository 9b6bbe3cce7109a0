import Scoring

/// Scores at once, so that nothing but the queue and its wire is measured.
struct NullEngine: RerankEngine {
  /// The one model of the benchmark's catalogue.
  static let model = EngineModel(
    name: "null", contextTokens: 32_768, reservedTokens: 200, acceptsImages: false)

  let name = "null"

  func models() async throws -> [EngineModel] { [Self.model] }

  func tokenCounter(forModel model: String) -> any TokenCounter { ByteCounter() }

  func score(
    _ request: ScoringRequest, progress: @escaping @Sendable () -> Void
  ) async throws -> ScoringResult {
    let score = DocumentScore(relevanceScore: 0.5, rankingKey: 0)
    return ScoringResult(
      scores: Array(repeating: score, count: request.documents.count), usage: nil,
      model: Self.model.name, scoreKind: .sigmoid, precision: nil)
  }
}

/// A token a byte: no text has more.
private struct ByteCounter: TokenCounter {
  let isEstimate = true

  func count(_ text: String) -> Int { text.utf8.count }

  func truncate(_ text: String, toTokens tokensMax: Int) -> String {
    var bytes = 0
    return String(
      text.prefix { character in
        bytes += character.utf8.count
        return bytes <= tokensMax
      })
  }
}
