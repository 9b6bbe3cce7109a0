/// The fields of a BERT's or an XLM-RoBERTa's `config.json`, as the file spells them.
struct BertConfigurationFile: Decodable, Sendable {
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
  var paddingID: Int?

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
    case paddingID = "pad_token_id"
  }
}
