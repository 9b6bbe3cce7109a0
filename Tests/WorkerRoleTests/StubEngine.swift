import Scoring
import Synchronization

/// An engine whose scores are the documents' lengths, or which does as it is told.
final class StubEngine: RerankEngine {
  typealias Behaviour =
    @Sendable (ScoringRequest, @Sendable () -> Void) async throws -> ScoringResult

  let name = "stub"
  private let telling: @Sendable () async throws -> [EngineModel]
  private let behaviour: Behaviour
  private let received = Mutex<[ScoringRequest]>([])

  init(behaviour: @escaping Behaviour = { request, _ in scores(of: request) }) {
    telling = { [.stub] }
    self.behaviour = behaviour
  }

  init(telling: @escaping @Sendable () async throws -> [EngineModel]) {
    self.telling = telling
    behaviour = { request, _ in Self.scores(of: request) }
  }

  var requests: [ScoringRequest] { received.withLock { $0 } }

  func models() async throws -> [EngineModel] { try await telling() }

  func tokenCounter(forModel model: String) -> any TokenCounter { WordCounter() }

  func score(_ request: ScoringRequest, progress: @escaping @Sendable () -> Void) async throws
    -> ScoringResult
  {
    received.withLock { $0.append(request) }
    return try await behaviour(request, progress)
  }

  static func scores(of request: ScoringRequest) -> ScoringResult {
    ScoringResult(
      scores: request.documents.map { document in
        let score = Float(document.text.utf8.count) / 1_000
        return DocumentScore(relevanceScore: score, rankingKey: score)
      },
      usage: nil, model: "stub-model-v1", scoreKind: .sigmoid, precision: "fp32")
  }
}

extension EngineModel {
  /// Takes pairs of 20 words beside the prompt's 5.
  static let stub = EngineModel(
    name: "m", contextTokens: 25, reservedTokens: 5, acceptsImages: false)
}

/// A word is a token.
struct WordCounter: TokenCounter {
  var isEstimate: Bool { false }

  func count(_ text: String) -> Int { text.split(separator: " ").count }

  func truncate(_ text: String, toTokens tokensMax: Int) -> String {
    let words = text.split(separator: " ")
    guard words.count > tokensMax else { return text }
    return String(text[..<(words.prefix(tokensMax).last?.endIndex ?? text.startIndex)])
  }
}
