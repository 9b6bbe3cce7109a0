import CEngineKernels
import Scoring

/// What `config.json` says of a ModernBERT cross-encoder, checked. What the file leaves out is as
/// transformers takes it.
struct ModernBertConfiguration: Equatable, Sendable {
  enum Pooling: String, Sendable {
    case firstToken = "cls"
    case mean
  }

  var hiddenSize: Int
  var headCount: Int
  var intermediateSize: Int
  var vocabularySize: Int
  var positionCount: Int
  /// One a layer: whether its tokens see all others, or only those within ``localReach``.
  var layersAreGlobal: [Bool]
  /// How far a token sees to either side in a local layer.
  var localReach: Int
  var globalTheta: Float
  var localTheta: Float
  var hasNormBias: Bool
  var hasAttentionBias: Bool
  var hasFeedForwardBias: Bool
  var hasClassifierBias: Bool
  var activation: Activation
  var classifierActivation: Activation
  var pooling: Pooling
  var normEpsilon: Float
  var scoreKind: ScoreKind

  var headSize: Int { hiddenSize / headCount }

  /// Checks the file's content.
  ///
  /// - Throws: ``EmbeddedEngineError`` naming the field that this engine cannot follow.
  init(
    _ file: ModernBertConfigurationFile, score: ScoreSettings, check: ConfigurationCheck
  ) throws {
    scoreKind = try score.scoreKind(check)
    hiddenSize = try check.size("hidden_size", file.hiddenSize, atMost: 8192)
    headCount = try check.headCount(file.headCount, hiddenSize: hiddenSize)
    guard (hiddenSize / headCount).isMultiple(of: 2) else {
      throw check.malformed("heads of \(hiddenSize / headCount) columns cannot be rotated in pairs")
    }
    intermediateSize = try check.size("intermediate_size", file.intermediateSize, atMost: 65_536)
    vocabularySize = try check.size("vocab_size", file.vocabularySize, atMost: 2_000_000)
    positionCount = try check.size("max_position_embeddings", file.positionCount, atMost: 131_072)
    let layerCount = try check.size("num_hidden_layers", file.layerCount, atMost: 128)
    layersAreGlobal = try Self.layersAreGlobal(file, count: layerCount, check: check)
    localReach = try check.size("local_attention", file.localAttention ?? 128, atMost: 131_072) / 2

    try check.plainRotation("rope_parameters", file.ropeParameters)
    try check.plainRotation("rope_scaling", file.ropeScaling)
    globalTheta = try check.theta(
      "the theta of full attention",
      file.ropeParameters?.fullAttention?.theta ?? file.globalTheta ?? 160_000)
    localTheta = try check.theta(
      "the theta of sliding attention",
      file.ropeParameters?.slidingAttention?.theta ?? file.localTheta ?? 10_000)

    hasNormBias = file.normBias ?? false
    hasAttentionBias = file.attentionBias ?? false
    hasFeedForwardBias = file.feedForwardBias ?? false
    hasClassifierBias = file.classifierBias ?? false
    activation = try check.activation("hidden_activation", file.hiddenActivation)
    classifierActivation = try check.activation(
      "classifier_activation", file.classifierActivation)
    guard let pooling = Pooling(rawValue: file.classifierPooling ?? "cls") else {
      throw check.unsupported(
        "classifier_pooling is \(file.classifierPooling ?? ""); cls and mean work")
    }
    self.pooling = pooling
    normEpsilon = try check.epsilon("norm_eps", file.normEpsilon ?? 1e-5)
  }

  private static func layersAreGlobal(
    _ file: ModernBertConfigurationFile, count: Int, check: ConfigurationCheck
  ) throws -> [Bool] {
    guard let types = file.layerTypes else {
      let every = try check.size(
        "global_attn_every_n_layers", file.globalAttentionEveryLayers ?? 3, atMost: 128)
      return (0..<count).map { $0.isMultiple(of: every) }
    }
    guard types.count == count else {
      throw check.malformed("layer_types has \(types.count) entries for \(count) layers")
    }
    return try types.map { type in
      switch type {
      case "full_attention": true
      case "sliding_attention": false
      default:
        throw check.unsupported(
          "layer_types names \(type); full_attention and "
            + "sliding_attention work")
      }
    }
  }
}

extension Activation {
  var kernelGate: engine_gate {
    switch self {
    case .gelu: .gelu
    case .geluTanh: .geluTanh
    case .relu: .relu
    }
  }
}
