import Scoring

/// What a `config.json` says of the model's score, in every family alike.
struct ScoreSettings: Decodable, Sendable {
  struct SentenceTransformers: Decodable, Sendable {
    var activation: String?

    enum CodingKeys: String, CodingKey {
      case activation = "activation_fn"
    }
  }

  var labelCount: Int?
  var labelNames: [String: String]?
  var sentenceTransformers: SentenceTransformers?
  var oldActivation: String?

  enum CodingKeys: String, CodingKey {
    case labelCount = "num_labels"
    case labelNames = "id2label"
    case sentenceTransformers = "sentence_transformers"
    case oldActivation = "sbert_ce_default_activation_function"
  }

  /// What the classifier's one logit means.
  ///
  /// - Throws: ``EmbeddedEngineError`` for several labels, or an activation other than these.
  func scoreKind(_ check: ConfigurationCheck) throws -> ScoreKind {
    let labels = labelCount ?? labelNames?.count ?? 2
    guard labels == 1 else {
      throw check.unsupported(
        "the model has \(labels) labels; a reranker has one (num_labels 1)")
    }
    let activation = sentenceTransformers?.activation ?? oldActivation
    switch activation?.split(separator: ".").last.map(String.init) ?? "Sigmoid" {
    case "Sigmoid": return .sigmoid
    case "Identity": return .raw
    case let other:
      throw check.unsupported("the score's activation is \(other); Sigmoid and Identity work")
    }
  }
}
