/// The fields of a Qwen3's `config.json`, in transformers 4's and 5's spelling.
struct Qwen3ConfigurationFile: Decodable, Sendable {
  var hiddenSize: Int?
  var layerCount: Int?
  var headCount: Int?
  var keyValueHeadCount: Int?
  var headSize: Int?
  var intermediateSize: Int?
  var vocabularySize: Int?
  var positionCount: Int?
  var normEpsilon: Double?
  var attentionBias: Bool?
  var hiddenActivation: String?
  var usesSlidingWindow: Bool?
  var tiesWordEmbeddings: Bool?
  /// transformers 5's.
  var layerTypes: [String]?
  var ropeParameters: RopeParameters?
  /// transformers 4's.
  var ropeTheta: Double?
  var ropeScaling: RopeParameters?

  enum CodingKeys: String, CodingKey {
    case hiddenSize = "hidden_size"
    case layerCount = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case keyValueHeadCount = "num_key_value_heads"
    case headSize = "head_dim"
    case intermediateSize = "intermediate_size"
    case vocabularySize = "vocab_size"
    case positionCount = "max_position_embeddings"
    case normEpsilon = "rms_norm_eps"
    case attentionBias = "attention_bias"
    case hiddenActivation = "hidden_act"
    case usesSlidingWindow = "use_sliding_window"
    case tiesWordEmbeddings = "tie_word_embeddings"
    case layerTypes = "layer_types"
    case ropeParameters = "rope_parameters"
    case ropeTheta = "rope_theta"
    case ropeScaling = "rope_scaling"
  }
}
