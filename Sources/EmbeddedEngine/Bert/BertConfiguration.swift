import CEngineKernels
import Scoring

/// What `config.json` says of a BERT, an XLM-RoBERTa or a segmented BERT, checked.
struct BertConfiguration: Equatable, Sendable {
  /// They differ in their tensors' names, in where positions start, in token types, and in what of the
  /// last states the score is made of.
  enum Family: String, Sendable {
    case bert = "BertForSequenceClassification"
    case xlmRoberta = "XLMRobertaForSequenceClassification"
    /// Rerankd's own: see ``SegmentConfiguration``.
    case segmentedBert = "SegmentedBertForSequenceClassification"
  }

  var family: Family
  var hiddenSize: Int
  var layerCount: Int
  var headCount: Int
  var intermediateSize: Int
  var vocabularySize: Int
  /// Rows of the table of positions.
  var positionCount: Int
  /// The row of a pair's first token: with XLM-RoBERTa the one after the padding's.
  var firstPosition: Int
  var tokenTypeCount: Int
  var activation: Activation
  var normEpsilon: Float
  var scoreKind: ScoreKind
  /// With ``Family/segmentedBert``.
  var segments: SegmentConfiguration?

  var headSize: Int { hiddenSize / headCount }
  var contextTokens: Int { positionCount - firstPosition }

  /// Checks the file's content.
  ///
  /// - Throws: ``EmbeddedEngineError`` naming the field that this engine cannot follow.
  init(
    _ file: BertConfigurationFile, segments segmentsFile: SegmentConfigurationFile,
    score: ScoreSettings, check: ConfigurationCheck
  ) throws {
    let names = file.architectures ?? []
    guard names.count == 1, let family = Family(rawValue: names[0]) else {
      let found = names.isEmpty ? "no architecture" : names.joined(separator: ", ")
      throw check.unsupported(
        "names \(found); this engine computes "
          + NetworkConfiguration.architectures.joined(separator: ", "))
    }
    self.family = family
    scoreKind = try score.scoreKind(check)
    let positions = file.positionEmbeddingType ?? "absolute"
    guard positions == "absolute" else {
      throw check.unsupported("position_embedding_type is \(positions); only absolute is computed")
    }
    guard file.isDecoder != true else {
      throw check.unsupported("is_decoder is set; encoders work")
    }
    hiddenSize = try check.size("hidden_size", file.hiddenSize, atMost: 8192)
    layerCount = try check.size("num_hidden_layers", file.layerCount, atMost: 128)
    headCount = try check.headCount(file.headCount, hiddenSize: hiddenSize)
    intermediateSize = try check.size("intermediate_size", file.intermediateSize, atMost: 65_536)
    vocabularySize = try check.size("vocab_size", file.vocabularySize, atMost: 2_000_000)
    positionCount = try check.size(
      "max_position_embeddings", file.positionCount, atMost: 32_768)
    tokenTypeCount = try check.size("type_vocab_size", file.tokenTypeCount ?? 2, atMost: 16)
    switch family {
    case .bert:
      firstPosition = 0
      guard tokenTypeCount >= 2 else { throw check.unsupported("a pair needs 2 token types") }
    case .segmentedBert:
      firstPosition = 0
    case .xlmRoberta:
      firstPosition = try check.index("pad_token_id", file.paddingID ?? 1, below: positionCount) + 1
    }
    guard positionCount - firstPosition >= 4 else {
      throw check.unsupported("a pair needs 4 positions at least")
    }
    activation = try check.activation("hidden_act", file.hiddenAct)
    normEpsilon = try check.epsilon("layer_norm_eps", file.normEpsilon ?? 1e-12)
    segments =
      family == .segmentedBert ? try SegmentConfiguration(segmentsFile, check: check) : nil
  }
}
