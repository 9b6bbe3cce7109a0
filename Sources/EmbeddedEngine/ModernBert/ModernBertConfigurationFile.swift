/// The fields of a ModernBERT's `config.json`, in transformers 4's and 5's spelling.
struct ModernBertConfigurationFile: Decodable, Sendable {
  var hiddenSize: Int?
  var layerCount: Int?
  var headCount: Int?
  var intermediateSize: Int?
  var vocabularySize: Int?
  var positionCount: Int?
  var normEpsilon: Double?
  var normBias: Bool?
  var attentionBias: Bool?
  var feedForwardBias: Bool?
  var classifierBias: Bool?
  var hiddenActivation: String?
  var classifierActivation: String?
  var classifierPooling: String?
  /// The window's whole width.
  var localAttention: Int?
  /// transformers 5's.
  var layerTypes: [String]?
  var ropeParameters: RopeParameters?
  /// transformers 4's.
  var globalAttentionEveryLayers: Int?
  var globalTheta: Double?
  var localTheta: Double?
  var ropeScaling: RopeParameters?

  enum CodingKeys: String, CodingKey {
    case hiddenSize = "hidden_size"
    case layerCount = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case intermediateSize = "intermediate_size"
    case vocabularySize = "vocab_size"
    case positionCount = "max_position_embeddings"
    case normEpsilon = "norm_eps"
    case normBias = "norm_bias"
    case attentionBias = "attention_bias"
    case feedForwardBias = "mlp_bias"
    case classifierBias = "classifier_bias"
    case hiddenActivation = "hidden_activation"
    case classifierActivation = "classifier_activation"
    case classifierPooling = "classifier_pooling"
    case localAttention = "local_attention"
    case layerTypes = "layer_types"
    case ropeParameters = "rope_parameters"
    case globalAttentionEveryLayers = "global_attn_every_n_layers"
    case globalTheta = "global_rope_theta"
    case localTheta = "local_rope_theta"
    case ropeScaling = "rope_scaling"
  }
}
