/// The weights of a ModernBERT cross-encoder. H is the hidden size, I the intermediate size.
struct ModernBertWeights: Sendable {
  struct Norm: Sendable {
    var gain: FloatBuffer
    /// Zeros where the model has none.
    var bias: FloatBuffer
  }

  struct Layer: Sendable {
    /// nil in the first layer, whose input the embeddings have normalised.
    var attentionNorm: Norm?
    /// [3H][H]: queries, keys, values.
    var queryKeyValue: PackedLinear
    /// [H][H]
    var attentionOutput: PackedLinear
    var feedForwardNorm: Norm
    /// [2I][H]: what is activated, then what it is multiplied with.
    var up: PackedLinear
    /// [H][I]
    var down: PackedLinear
  }

  /// [vocabulary][H]
  var wordEmbeddings: EmbeddingTable
  var embeddingNorm: Norm
  var layers: [Layer]
  var finalNorm: Norm
  /// [H][H]
  var head: PackedLinear
  var headNorm: Norm
  /// [1][H]
  var classifier: FloatBuffer
  /// [1]
  var classifierBias: FloatBuffer
  /// Tensors of the file that no score needs.
  var surplus: [String]

  var linears: [PackedLinear] {
    layers.flatMap { [$0.queryKeyValue, $0.attentionOutput, $0.up, $0.down] } + [head]
  }

  /// Takes the weights by the names that transformers' ModernBertForSequenceClassification gives
  /// them.
  ///
  /// - Throws: ``EmbeddedEngineError`` naming a tensor that is missing, misshapen or unexpected.
  init(
    from source: any WeightSource, configuration: ModernBertConfiguration, precision: Precision,
    path: KernelPath
  ) throws {
    var loader = TensorLoader(source: source)
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize

    func linear(_ name: String, rows: Int, inputs: Int, bias: Bool) throws -> PackedLinear {
      try PackedLinear(
        &loader, weights: ["\(name).weight"], biases: bias ? ["\(name).bias"] : [], rows: rows,
        inputs: inputs, precision: precision, path: path)
    }
    func norm(_ name: String) throws -> Norm {
      Norm(
        gain: try loader.floats(["\(name).weight"], shape: [hidden]),
        bias: configuration.hasNormBias
          ? try loader.floats(["\(name).bias"], shape: [hidden]) : FloatBuffer(count: hidden))
    }

    wordEmbeddings = try loader.table(
      "model.embeddings.tok_embeddings.weight", rows: configuration.vocabularySize,
      columns: hidden)
    embeddingNorm = try norm("model.embeddings.norm")
    layers = try configuration.layersAreGlobal.indices.map { index in
      let layer = "model.layers.\(index)"
      let attentionBias = configuration.hasAttentionBias
      let feedForwardBias = configuration.hasFeedForwardBias
      return Layer(
        attentionNorm: index == 0 ? nil : try norm("\(layer).attn_norm"),
        queryKeyValue: try linear(
          "\(layer).attn.Wqkv", rows: 3 * hidden, inputs: hidden, bias: attentionBias),
        attentionOutput: try linear(
          "\(layer).attn.Wo", rows: hidden, inputs: hidden, bias: attentionBias),
        feedForwardNorm: try norm("\(layer).mlp_norm"),
        up: try linear(
          "\(layer).mlp.Wi", rows: 2 * intermediate, inputs: hidden, bias: feedForwardBias),
        down: try linear(
          "\(layer).mlp.Wo", rows: hidden, inputs: intermediate, bias: feedForwardBias))
    }
    finalNorm = try norm("model.final_norm")
    head = try linear(
      "head.dense", rows: hidden, inputs: hidden, bias: configuration.hasClassifierBias)
    headNorm = try norm("head.norm")
    classifier = try loader.floats(["classifier.weight"], shape: [1, hidden])
    classifierBias = try loader.floats(["classifier.bias"], shape: [1])
    surplus = try loader.knownSurplus(
      "ModernBertForSequenceClassification of \(layers.count) layers"
    ) { $0.hasPrefix("decoder.") }
  }
}
