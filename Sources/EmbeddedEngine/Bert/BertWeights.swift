/// The weights of a BERT cross-encoder, in the layouts that the kernels read. H is the hidden size,
/// I the intermediate size.
struct BertWeights: Sendable {
  struct Norm: Sendable {
    var gain: FloatBuffer
    var bias: FloatBuffer
  }

  struct Layer: Sendable {
    /// [H][H]
    var query: PackedLinear
    /// [2H][H]: keys, then values.
    var keyValue: PackedLinear
    /// [H][H]
    var attentionOutput: PackedLinear
    var attentionNorm: Norm
    /// [I][H]
    var up: PackedLinear
    /// [H][I]
    var down: PackedLinear
    var outputNorm: Norm
  }

  /// What the last states become a logit by.
  enum Head: Sendable {
    /// A dense layer [H][H], tanh, and a classifier [1][H] with its bias [1], over a pair's first
    /// token.
    case firstToken(pooler: PackedLinear, classifier: FloatBuffer, bias: FloatBuffer)
    case segments(SegmentHead)
  }

  /// [vocabulary][H]
  var wordEmbeddings: EmbeddingTable
  /// [positions][H]
  var positionEmbeddings: EmbeddingTable
  /// [token types][H]
  var tokenTypeEmbeddings: EmbeddingTable
  var embeddingNorm: Norm
  var layers: [Layer]
  var head: Head
  /// Tensors of the file that no score needs.
  var surplus: [String]

  /// Takes the weights by the names that transformers' class for the family gives them. The
  /// encoder's may lack their "bert." or "roberta." prefix, and norms may use TensorFlow's gamma and
  /// beta.
  ///
  /// - Throws: ``EmbeddedEngineError`` naming a tensor that is missing, misshapen or unexpected.
  init(
    from source: any WeightSource, configuration: BertConfiguration, precision: Precision,
    path: KernelPath
  ) throws {
    var loader = TensorLoader(source: source)
    let names = configuration.family.tensorNames
    let prefix =
      source.tensors["\(names.prefix)embeddings.word_embeddings.weight"] == nil ? "" : names.prefix
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize

    func linear(_ names: String..., rows: Int, columns: Int) throws -> PackedLinear {
      try PackedLinear(
        &loader, weights: names.map { "\(prefix)\($0).weight" },
        biases: names.map { "\(prefix)\($0).bias" }, rows: rows, inputs: columns,
        precision: precision, path: path)
    }
    func norm(_ name: String) throws -> Norm {
      let old = source.tensors["\(prefix)\(name).gamma"] != nil
      return Norm(
        gain: try loader.floats(["\(prefix)\(name).\(old ? "gamma" : "weight")"], shape: [hidden]),
        bias: try loader.floats(["\(prefix)\(name).\(old ? "beta" : "bias")"], shape: [hidden]))
    }
    func table(_ name: String, rows: Int) throws -> EmbeddingTable {
      try loader.table("\(prefix)embeddings.\(name).weight", rows: rows, columns: hidden)
    }

    wordEmbeddings = try table("word_embeddings", rows: configuration.vocabularySize)
    positionEmbeddings = try table("position_embeddings", rows: configuration.positionCount)
    tokenTypeEmbeddings = try table("token_type_embeddings", rows: configuration.tokenTypeCount)
    embeddingNorm = try norm("embeddings.LayerNorm")
    layers = try (0..<configuration.layerCount).map { index in
      let layer = "encoder.layer.\(index)"
      return Layer(
        query: try linear("\(layer).attention.self.query", rows: hidden, columns: hidden),
        keyValue: try linear(
          "\(layer).attention.self.key", "\(layer).attention.self.value", rows: hidden,
          columns: hidden),
        attentionOutput: try linear(
          "\(layer).attention.output.dense", rows: hidden, columns: hidden),
        attentionNorm: try norm("\(layer).attention.output.LayerNorm"),
        up: try linear("\(layer).intermediate.dense", rows: intermediate, columns: hidden),
        down: try linear("\(layer).output.dense", rows: hidden, columns: intermediate),
        outputNorm: try norm("\(layer).output.LayerNorm"))
    }
    if let segments = configuration.segments {
      head = .segments(
        try SegmentHead(&loader, segments, vocabularySize: configuration.vocabularySize))
    } else {
      let pooler = names.isPoolerInEncoder ? "\(prefix)\(names.pooler)" : names.pooler
      head = .firstToken(
        pooler: try PackedLinear(
          &loader, weights: ["\(pooler).weight"], biases: ["\(pooler).bias"], rows: hidden,
          inputs: hidden, precision: precision, path: path),
        classifier: try loader.floats(["\(names.classifier).weight"], shape: [1, hidden]),
        bias: try loader.floats(["\(names.classifier).bias"], shape: [1]))
    }
    surplus = try loader.knownSurplus(
      "\(configuration.family.rawValue) of \(configuration.layerCount) layers",
      Self.isKnownSurplus)
  }

  /// What checkpoints carry along without effect on a score: constant position ids, the heads of
  /// pretraining, and with XLM-RoBERTa the encoder's own pooler.
  static func isKnownSurplus(_ name: String) -> Bool {
    ["embeddings.position_ids", "embeddings.token_type_ids"].contains(where: name.hasSuffix)
      || ["cls.predictions.", "cls.seq_relationship.", "lm_head.", "roberta.pooler."]
        .contains(where: name.hasPrefix)
  }
}

extension BertWeights.Head {
  /// Floats of scratch beside the last states.
  func scratchFloats(pairs: Int, _ configuration: BertConfiguration) -> Int {
    switch self {
    case .firstToken(let pooler, _, _): pooler.scratchFloats(rows: pairs)
    case .segments(let head): head.scratchFloats(hiddenSize: configuration.hiddenSize)
    }
  }
}

extension BertConfiguration.Family {
  struct TensorNames {
    /// Of the encoder's tensors.
    var prefix: String
    /// The layer before the classifier, which tanh follows.
    var pooler: String
    var isPoolerInEncoder: Bool
    var classifier: String
  }

  var tensorNames: TensorNames {
    switch self {
    case .bert, .segmentedBert:
      TensorNames(
        prefix: "bert.", pooler: "pooler.dense", isPoolerInEncoder: true, classifier: "classifier")
    case .xlmRoberta:
      TensorNames(
        prefix: "roberta.", pooler: "classifier.dense", isPoolerInEncoder: false,
        classifier: "classifier.out_proj")
    }
  }
}
