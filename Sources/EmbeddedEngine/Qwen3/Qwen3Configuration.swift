import Scoring

/// What `config.json` says of a Qwen3 reranker, checked. What the file leaves out is as transformers
/// takes it.
struct Qwen3Configuration: Equatable, Sendable {
  /// What the score is read off the last token with.
  enum Head: Equatable, Sendable {
    /// The language model's: how much likelier "yes" is than "no" as the next token.
    case answers(yes: Int, no: Int)
    /// A classifier of one label.
    case classifier
  }

  static let contextTokensDefault = 8192

  var hiddenSize: Int
  var layerCount: Int
  var headCount: Int
  /// Each of them is shared by as many query heads.
  var keyValueHeadCount: Int
  /// Stated by the file: the heads' columns need not add up to the hidden size.
  var headSize: Int
  var intermediateSize: Int
  var vocabularySize: Int
  /// What a pair may take: as many as there are positions, or as the manifest asks for, or as
  /// Qwen3-Reranker was evaluated with.
  var contextTokens: Int
  var theta: Float
  var normEpsilon: Float
  /// Whether the language model's head is the table of word embeddings.
  var tiesWordEmbeddings: Bool
  var head: Head
  var scoreKind: ScoreKind

  /// Columns of all query heads.
  var queryWidth: Int { headCount * headSize }
  /// Columns of all key heads, and of all value heads.
  var keyWidth: Int { keyValueHeadCount * headSize }

  /// Checks the file's content.
  ///
  /// - Parameters:
  ///   - isCausal: whether the file names Qwen3ForCausalLM.
  ///   - tokenID: a token's number in the model's vocabulary.
  ///   - contextTokensMax: what a pair may take, if anyone has said so.
  /// - Throws: ``EmbeddedEngineError`` naming the field that this engine cannot follow.
  init(
    _ file: Qwen3ConfigurationFile, isCausal: Bool, score: ScoreSettings,
    tokenID: (String) -> Int32?, contextTokensMax: Int?, check: ConfigurationCheck
  ) throws {
    hiddenSize = try check.size("hidden_size", file.hiddenSize, atMost: 8192)
    layerCount = try check.size("num_hidden_layers", file.layerCount, atMost: 128)
    headCount = try check.size("num_attention_heads", file.headCount, atMost: 256)
    keyValueHeadCount = try check.size(
      "num_key_value_heads", file.keyValueHeadCount ?? headCount, atMost: headCount)
    guard headCount.isMultiple(of: keyValueHeadCount) else {
      throw check.malformed(
        "num_attention_heads \(headCount) is no multiple of num_key_value_heads "
          + "\(keyValueHeadCount)")
    }
    headSize = try check.size("head_dim", file.headSize ?? 128, atMost: 512)
    guard headSize.isMultiple(of: 2) else {
      throw check.malformed("heads of \(headSize) columns cannot be rotated in pairs")
    }
    intermediateSize = try check.size("intermediate_size", file.intermediateSize, atMost: 65_536)
    vocabularySize = try check.size("vocab_size", file.vocabularySize, atMost: 2_000_000)
    let positions = try check.size(
      "max_position_embeddings", file.positionCount, atMost: 262_144)
    contextTokens = min(positions, contextTokensMax ?? Self.contextTokensDefault)
    normEpsilon = try check.epsilon("rms_norm_eps", file.normEpsilon ?? 1e-6)

    try check.plainRotation("rope_parameters", file.ropeParameters)
    try check.plainRotation("rope_scaling", file.ropeScaling)
    theta = try check.theta(
      "rope_theta", file.ropeParameters?.all.theta ?? file.ropeTheta ?? 10_000)
    let activation = file.hiddenActivation ?? "silu"
    guard activation == "silu" else {
      throw check.unsupported("hidden_act is \(activation); only silu is computed")
    }
    guard file.attentionBias != true else {
      throw check.unsupported("attention_bias is set; attention without biases is computed")
    }
    guard file.usesSlidingWindow != true,
      file.layerTypes?.allSatisfy({ $0 == "full_attention" }) ?? true
    else {
      throw check.unsupported("some layers have a sliding window; full attention is computed")
    }

    tiesWordEmbeddings = file.tiesWordEmbeddings ?? false
    if isCausal {
      guard let yes = tokenID("yes"), let no = tokenID("no") else {
        throw check.unsupported(
          "the score of Qwen3ForCausalLM is yes against no, and the tokenizer lacks one of them")
      }
      head = .answers(
        yes: try check.index("the token yes", Int(yes), below: vocabularySize),
        no: try check.index("the token no", Int(no), below: vocabularySize))
      // The softmax over two logits is the sigmoid of their difference.
      scoreKind = .sigmoid
    } else {
      head = .classifier
      scoreKind = try score.scoreKind(check)
    }
  }
}
