import Foundation
import Scoring

/// Cohere's second rerank API: `{model, query, documents: [text], max_tokens_per_doc}`. Without the
/// last it would cut every document at 4,096 tokens and say nothing.
struct CohereDialect: RerankDialect {
  let rerankPath = "/v2/rerank"
  let listingPath = "/v1/models"

  func encode(_ request: DialectRequest) throws(EngineError) -> [UInt8] {
    struct Body: Encodable {
      var model: String
      var query: String
      var documents: [String]
      var maxTokensPerDoc: Int

      enum CodingKeys: String, CodingKey {
        case model, query, documents
        case maxTokensPerDoc = "max_tokens_per_doc"
      }
    }
    try request.refuseInstruction("cohere")
    let texts = try request.texts()
    return try request.json(
      Body(
        model: request.model.servedName, query: texts.query, documents: texts.documents,
        maxTokensPerDoc: request.model.contextTokens))
  }

  func decodeListing(_ body: Data) throws -> ModelListing {
    struct List: Decodable {
      struct Entry: Decodable { var name: String }
      var models: [Entry]
    }
    let list = try JSONDecoder().decode(List.self, from: body)
    return ModelListing(names: Set(list.models.map(\.name)))
  }
}
