/// A `config.json`, read as the architecture that it names says.
struct NetworkConfiguration: Decodable, Sendable {
  enum Family: Sendable {
    case bert(BertConfigurationFile, SegmentConfigurationFile)
    case modernBert(ModernBertConfigurationFile)
    case qwen3(Qwen3ConfigurationFile, isCausal: Bool)
  }

  /// The architectures that this engine computes, as transformers calls them.
  static let architectures = [
    "BertForSequenceClassification", "XLMRobertaForSequenceClassification",
    "SegmentedBertForSequenceClassification",
    "ModernBertForSequenceClassification", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification",
  ]

  private struct Named: Decodable {
    var architectures: [String]?
  }

  var family: Family
  var score: ScoreSettings

  init(from decoder: any Decoder) throws {
    score = try ScoreSettings(from: decoder)
    switch try Named(from: decoder).architectures {
    case ["ModernBertForSequenceClassification"]:
      family = .modernBert(try ModernBertConfigurationFile(from: decoder))
    case ["Qwen3ForCausalLM"]:
      family = .qwen3(try Qwen3ConfigurationFile(from: decoder), isCausal: true)
    case ["Qwen3ForSequenceClassification"]:
      family = .qwen3(try Qwen3ConfigurationFile(from: decoder), isCausal: false)
    // What no family takes is refused by BERT's check, which names what it found.
    default:
      family = .bert(
        try BertConfigurationFile(from: decoder), try SegmentConfigurationFile(from: decoder))
    }
  }

  /// How the family's models were trained to read a pair.
  var template: PairEncoder.Template {
    switch family {
    case .bert, .modernBert: .pair
    case .qwen3: .prompt(.qwen3Reranker)
    }
  }

  /// What `auto` takes where bfloat16 is fast.
  private var roundedPrecision: Precision {
    switch family {
    case .bert, .modernBert: .bf16
    case .qwen3: .w8a16
    }
  }

  /// The network that computes such a model.
  ///
  /// - Parameters:
  ///   - label: how messages name the configuration.
  ///   - tokenID: a token's number in the model's vocabulary.
  ///   - contextTokensMax: what a pair may take, if the manifest says so.
  ///   - source: opens the weights; called once the configuration is found good.
  /// - Throws: ``EmbeddedEngineError`` naming the field or tensor that cannot be used.
  func network(
    label: String, tokenID: (String) -> Int32?, contextTokensMax: Int? = nil,
    weights source: () throws -> any WeightSource, precision setting: PrecisionSetting,
    path: KernelPath
  ) throws -> any CrossEncoderNetwork {
    let precision = setting.resolved(path: path, rounded: roundedPrecision)
    let check = ConfigurationCheck(label: label)
    switch family {
    case .bert(let file, let segments):
      let configuration = try BertConfiguration(
        file, segments: segments, score: score, check: check)
      let weights = try BertWeights(
        from: source(), configuration: configuration, precision: precision, path: path)
      return BertNetwork(
        configuration: configuration, weights: weights, precision: precision, path: path)
    case .modernBert(let file):
      let configuration = try ModernBertConfiguration(file, score: score, check: check)
      let weights = try ModernBertWeights(
        from: source(), configuration: configuration, precision: precision, path: path)
      return ModernBertNetwork(
        configuration: configuration, weights: weights, precision: precision, path: path)
    case .qwen3(let file, let isCausal):
      let configuration = try Qwen3Configuration(
        file, isCausal: isCausal, score: score, tokenID: tokenID,
        contextTokensMax: contextTokensMax, check: check)
      let weights = try Qwen3Weights(
        from: source(), configuration: configuration, precision: precision, path: path)
      return Qwen3Network(
        configuration: configuration, weights: weights, precision: precision, path: path)
    }
  }
}
