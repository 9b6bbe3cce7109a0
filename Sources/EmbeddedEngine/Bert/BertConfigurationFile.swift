/// The fields of a Hugging Face `config.json` that matter here, as the file spells them.
struct BertConfigurationFile: Decodable, Sendable {
  struct SentenceTransformers: Decodable, Sendable {
    var activation: String?

    enum CodingKeys: String, CodingKey {
      case activation = "activation_fn"
    }
  }

  var architectures: [String]?
  var hiddenSize: Int?
  var layerCount: Int?
  var headCount: Int?
  var intermediateSize: Int?
  var vocabularySize: Int?
  var positionCount: Int?
  var tokenTypeCount: Int?
  var hiddenAct: String?
  var normEpsilon: Double?
  var positionEmbeddingType: String?
  var isDecoder: Bool?
  var numLabels: Int?
  var labelNames: [String: String]?
  var sentenceTransformers: SentenceTransformers?
  var oldScoreActivation: String?

  enum CodingKeys: String, CodingKey {
    case architectures
    case hiddenSize = "hidden_size"
    case layerCount = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case intermediateSize = "intermediate_size"
    case vocabularySize = "vocab_size"
    case positionCount = "max_position_embeddings"
    case tokenTypeCount = "type_vocab_size"
    case hiddenAct = "hidden_act"
    case normEpsilon = "layer_norm_eps"
    case positionEmbeddingType = "position_embedding_type"
    case isDecoder = "is_decoder"
    case numLabels = "num_labels"
    case labelNames = "id2label"
    case sentenceTransformers = "sentence_transformers"
    case oldScoreActivation = "sbert_ce_default_activation_function"
  }
}
