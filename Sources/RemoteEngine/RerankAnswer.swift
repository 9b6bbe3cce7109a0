import Foundation
import Scoring

/// A backend's answer, read without trust: every document has one finite score, or there is an error.
/// Results may come in any order; `document` may have any shape, since it is not looked at.
enum RerankAnswer {
  /// - Throws: ``EngineError``: INTERNAL and retryable for what another try or another replica may do
  ///   better, FAILED_PRECONDITION and final for what only a change of the configuration can mend.
  static func parse(
    _ body: [UInt8], documentCount: Int, model: RemoteEngineConfiguration.Model, backend: String
  ) throws -> ScoringResult {
    func broken(_ what: String) -> EngineError {
      EngineError(
        code: .internal, message: "The backend \"\(backend)\" sent a wrong answer: \(what).",
        isRetryable: true)
    }
    func misconfigured(_ what: String) -> EngineError {
      EngineError(
        code: .failedPrecondition, message: "The backend \"\(backend)\" \(what)",
        isRetryable: false)
    }

    let answer: AnswerBody
    do {
      answer = try JSONDecoder().decode(AnswerBody.self, from: Data(body))
    } catch {
      throw broken("it is not the JSON of a ranking")
    }
    if let answered = answer.model, answered != model.answeredName {
      throw misconfigured(
        "scored with \"\(answered.prefix(100))\" and was asked for \"\(model.servedName)\"; set the "
          + "model's answered_name if that is the same.")
    }
    var scores = [DocumentScore?](repeating: nil, count: documentCount)
    for result in answer.results {
      guard scores.indices.contains(result.index) else {
        throw broken("index \(result.index) for \(documentCount) documents")
      }
      guard scores[result.index] == nil else { throw broken("index \(result.index) twice") }
      // Doubles beyond Float's range become infinite here.
      let score = Float(result.relevanceScore)
      guard score.isFinite else { throw broken("the score of index \(result.index) is not finite") }
      if model.scoreKind == .sigmoid, !(0...1).contains(score) {
        throw misconfigured(
          "sent the score \(score), which is not between 0 and 1; if its scores are raw, set the "
            + "model's score_kind to raw.")
      }
      scores[result.index] = DocumentScore(relevanceScore: score, rankingKey: score)
    }
    let complete = scores.compactMap { $0 }
    guard complete.count == documentCount else {
      throw broken("\(complete.count) results for \(documentCount) documents")
    }
    return ScoringResult(
      scores: complete, usage: answer.usage, model: answer.model ?? model.servedName,
      scoreKind: model.scoreKind, precision: nil)
  }
}

private struct AnswerBody: Decodable {
  struct Result: Decodable {
    var index: Int
    var relevanceScore: Double

    enum CodingKeys: String, CodingKey {
      case index
      case relevanceScore = "relevance_score"
    }
  }

  var model: String?
  var results: [Result]
  var usage: TokenUsage?

  enum CodingKeys: CodingKey { case model, results, usage, meta }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    model = try? container.decodeIfPresent(String.self, forKey: .model)
    results = try container.decode([Result].self, forKey: .results)
    // Usage is a courtesy: one that cannot be read is no reason to throw scores away.
    usage =
      (try? container.decode(UsageBody.self, forKey: .usage))?.usage
      ?? (try? container.decode(MetaBody.self, forKey: .meta))?.usage
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
