import Foundation
import Scoring

/// A backend's answer as it came, trusted in nothing yet. Its results may come in any order.
struct Ranking: Sendable {
  struct Result: Sendable {
    var index: Int
    var score: Double
  }

  /// As the answer names it, where it does.
  var model: String?
  var results: [Result]
  var usage: TokenUsage?
}

/// The scores of one request's documents, in their order.
struct RankedDocuments: Sendable {
  var scores: [DocumentScore]
  var usage: TokenUsage?
  /// As the backend names it.
  var model: String
}

extension Ranking {
  /// Every document has one finite score of the declared kind, or there is an error.
  ///
  /// - Throws: ``EngineError``: INTERNAL and retryable for what another try or another replica may
  ///   do better, FAILED_PRECONDITION and final for what only a change of the configuration can
  ///   mend.
  func scores(
    documentCount: Int, model: RemoteEngineConfiguration.Model, answered kind: ScoreKind,
    backend: String
  ) throws(EngineError) -> RankedDocuments {
    if let answered = self.model, answered != model.answeredName {
      throw .misconfigured(
        backend,
        "scored with \"\(answered.prefix(100))\" and was asked for \"\(model.servedName)\"; set the "
          + "model's answered_name if that is the same.")
    }
    var scores = [DocumentScore?](repeating: nil, count: documentCount)
    for result in results {
      guard scores.indices.contains(result.index) else {
        throw .wrongAnswer(backend, "index \(result.index) for \(documentCount) documents")
      }
      guard scores[result.index] == nil else {
        throw .wrongAnswer(backend, "index \(result.index) twice")
      }
      // Doubles beyond Float's range become infinite here.
      let score = Float(result.score)
      guard score.isFinite else {
        throw .wrongAnswer(backend, "the score of index \(result.index) is not finite")
      }
      if kind == .sigmoid, !(0...1).contains(score) {
        throw .misconfigured(
          backend,
          "sent the score \(score), which is not between 0 and 1; if its scores are raw, set the "
            + "model's answered_scores to raw.")
      }
      // Ordered by what the backend sent: sigmoids of clear cases are equal after rounding.
      scores[result.index] = DocumentScore(
        relevanceScore: kind == .raw && model.scoreKind == .sigmoid
          ? Float(1 / (1 + exp(-result.score))) : score,
        rankingKey: score)
    }
    let complete = scores.compactMap { $0 }
    guard complete.count == documentCount else {
      throw .wrongAnswer(backend, "\(complete.count) results for \(documentCount) documents")
    }
    return RankedDocuments(
      scores: complete, usage: usage, model: self.model ?? model.servedName)
  }
}

extension EngineError {
  static func wrongAnswer(_ backend: String, _ what: String) -> EngineError {
    EngineError(
      code: .internal, message: "The backend \"\(backend)\" sent a wrong answer: \(what).",
      isRetryable: true, backendFault: .unavailable)
  }

  fileprivate static func misconfigured(_ backend: String, _ what: String) -> EngineError {
    EngineError(
      code: .failedPrecondition, message: "The backend \"\(backend)\" \(what)", isRetryable: false)
  }
}

/// `{model?, results: [{index, relevance_score}], usage? | meta?}`: the shape of all APIs but one.
/// A result's `document` may have any shape, since it is not looked at.
struct RankingBody: Decodable {
  private struct Result: Decodable {
    var index: Int
    var relevanceScore: Double

    enum CodingKeys: String, CodingKey {
      case index
      case relevanceScore = "relevance_score"
    }
  }

  var ranking: Ranking

  enum CodingKeys: CodingKey { case model, results, usage, meta }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let results = try container.decode([Result].self, forKey: .results)
    // Usage is a courtesy: one that cannot be read is no reason to throw scores away.
    let usage =
      (try? container.decode(UsageBody.self, forKey: .usage))?.usage
      ?? (try? container.decode(MetaBody.self, forKey: .meta))?.usage
    ranking = Ranking(
      model: try? container.decodeIfPresent(String.self, forKey: .model),
      results: results.map { .init(index: $0.index, score: $0.relevanceScore) }, usage: usage)
  }
}

/// `{prompt_tokens, total_tokens}`, or `{input_tokens}` where it stands under `meta`.
private struct UsageBody: Decodable {
  var promptTokens: Int?
  var totalTokens: Int?
  var inputTokens: Int?

  enum CodingKeys: String, CodingKey {
    case promptTokens = "prompt_tokens"
    case totalTokens = "total_tokens"
    case inputTokens = "input_tokens"
  }

  var usage: TokenUsage? {
    guard let prompt = promptTokens ?? inputTokens ?? totalTokens else { return nil }
    let total = totalTokens ?? prompt
    guard prompt >= 0, total >= 0 else { return nil }
    return TokenUsage(promptTokens: prompt, totalTokens: total, estimated: false)
  }
}

/// `meta: {usage}`, `meta: {tokens}`, or the counts in `meta` itself.
private struct MetaBody: Decodable {
  var usage: TokenUsage?

  enum CodingKeys: CodingKey { case usage, tokens }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    usage =
      (try? container.decode(UsageBody.self, forKey: .usage))?.usage
      ?? (try? container.decode(UsageBody.self, forKey: .tokens))?.usage
      ?? (try? UsageBody(from: decoder))?.usage
  }
}
