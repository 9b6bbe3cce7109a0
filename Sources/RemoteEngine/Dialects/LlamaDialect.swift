import Scoring

/// The rerank API of llama.cpp's server: `{model, query, documents}`. It sends a classification
/// head's logits as they are; a model that answers with probabilities is declared with sigmoid
/// answers.
struct LlamaDialect: RerankDialect {
  let rerankPath = "/v1/rerank"
  let listingPath = "/v1/models"
  let answeredScoreKind: ScoreKind? = .raw

  func encode(_ request: DialectRequest) throws(EngineError) -> [UInt8] {
    struct Body: Encodable {
      var model: String
      var query: String
      var documents: [String]
    }
    try request.refuseInstruction("llama")
    let texts = try request.texts()
    return try request.json(
      Body(
        model: request.model.servedName, query: texts.query, documents: texts.documents))
  }
}
