import Foundation
import Scoring

/// The API of text-embeddings-inference: `{query, texts, truncate, raw_scores, return_text}`,
/// answered by a bare array. A server has one model, which `GET /info` names together with its
/// limits. Raw scores are asked for unless sigmoid ones are declared, since sigmoids of clear cases
/// round to 1.
struct TEIDialect: RerankDialect {
  let rerankPath = "/rerank"
  let listingPath = "/info"
  let answeredScoreKind: ScoreKind? = .raw

  func encode(_ request: DialectRequest) throws(EngineError) -> [UInt8] {
    struct Body: Encodable {
      var query: String
      var texts: [String]
      var truncate = false
      var rawScores: Bool
      var returnText = false

      enum CodingKeys: String, CodingKey {
        case query, texts, truncate
        case rawScores = "raw_scores"
        case returnText = "return_text"
      }
    }
    try request.refuseInstruction("tei")
    let texts = try request.texts()
    return try request.json(
      Body(
        query: texts.query, texts: texts.documents,
        rawScores: request.answeredScoreKind == .raw))
  }

  func decodeRanking(_ body: Data) throws -> Ranking {
    struct Entry: Decodable {
      var index: Int
      var score: Double
    }
    let entries = try JSONDecoder().decode([Entry].self, from: body)
    return Ranking(results: entries.map { .init(index: $0.index, score: $0.score) })
  }

  func decodeListing(_ body: Data) throws -> ModelListing {
    struct Info: Decodable {
      var modelID: String
      var clientBatchMax: Int?
      var inputTokensMax: Int?

      enum CodingKeys: String, CodingKey {
        case modelID = "model_id"
        case clientBatchMax = "max_client_batch_size"
        case inputTokensMax = "max_input_length"
      }
    }
    let info = try JSONDecoder().decode(Info.self, from: body)
    return ModelListing(
      names: [info.modelID], documentsMax: info.clientBatchMax, contextTokens: info.inputTokensMax)
  }
}
