/// The weights of a Qwen3 reranker. H is the hidden size, I the intermediate size, Q and K the
/// columns of all query heads and of all key heads.
struct Qwen3Weights: Sendable {
  struct Layer: Sendable {
    /// [H]
    var attentionNorm: FloatBuffer
    /// [Q][H]
    var query: PackedLinear
    /// [2K][H]: keys, then values.
    var keyValue: PackedLinear
    /// [head size], of every head alike.
    var queryNorm: FloatBuffer
    /// [head size], of every head alike.
    var keyNorm: FloatBuffer
    /// [H][Q]
    var attentionOutput: PackedLinear
    /// [H]
    var feedForwardNorm: FloatBuffer
    /// [2I][H]: what is activated, then what it is multiplied with.
    var up: PackedLinear
    /// [H][I]
    var down: PackedLinear
  }

  /// [vocabulary][H]
  var wordEmbeddings: EmbeddingTable
  var layers: [Layer]
  /// [H]
  var finalNorm: FloatBuffer
  /// [H]: the classifier's row, or the row of "yes" less that of "no".
  var score: FloatBuffer
  /// Tensors of the file that no score needs.
  var surplus: [String]

  var linears: [PackedLinear] {
    layers.flatMap { [$0.query, $0.keyValue, $0.attentionOutput, $0.up, $0.down] }
  }

  /// Takes the weights by the names that transformers' Qwen3ForCausalLM and
  /// Qwen3ForSequenceClassification give them.
  ///
  /// - Throws: ``EmbeddedEngineError`` naming a tensor that is missing, misshapen or unexpected.
  init(
    from source: any WeightSource, configuration: Qwen3Configuration, precision: Precision,
    path: KernelPath
  ) throws {
    var loader = TensorLoader(source: source)
    let hidden = configuration.hiddenSize

    func linear(_ names: String..., rows: Int, inputs: Int) throws -> PackedLinear {
      try PackedLinear(
        &loader, weights: names.map { "\($0).weight" }, rows: rows, inputs: inputs,
        precision: precision, path: path)
    }
    func norm(_ name: String, _ columns: Int) throws -> FloatBuffer {
      try loader.floats(["\(name).weight"], shape: [columns])
    }

    wordEmbeddings = try loader.table(
      "model.embed_tokens.weight", rows: configuration.vocabularySize, columns: hidden)
    layers = try (0..<configuration.layerCount).map { index in
      let layer = "model.layers.\(index)"
      return Layer(
        attentionNorm: try norm("\(layer).input_layernorm", hidden),
        query: try linear(
          "\(layer).self_attn.q_proj", rows: configuration.queryWidth, inputs: hidden),
        keyValue: try linear(
          "\(layer).self_attn.k_proj", "\(layer).self_attn.v_proj", rows: configuration.keyWidth,
          inputs: hidden),
        queryNorm: try norm("\(layer).self_attn.q_norm", configuration.headSize),
        keyNorm: try norm("\(layer).self_attn.k_norm", configuration.headSize),
        attentionOutput: try linear(
          "\(layer).self_attn.o_proj", rows: hidden, inputs: configuration.queryWidth),
        feedForwardNorm: try norm("\(layer).post_attention_layernorm", hidden),
        up: try linear(
          "\(layer).mlp.gate_proj", "\(layer).mlp.up_proj", rows: configuration.intermediateSize,
          inputs: hidden),
        down: try linear(
          "\(layer).mlp.down_proj", rows: hidden, inputs: configuration.intermediateSize))
    }
    finalNorm = try norm("model.norm", hidden)
    switch configuration.head {
    case .classifier:
      score = try loader.floats(["score.weight"], shape: [1, hidden])
    case .answers(let yes, let no):
      // A head of its own is large, and of no use but for these rows.
      let (table, rows) =
        configuration.tiesWordEmbeddings
        ? (wordEmbeddings, [yes, no])
        : (
          try loader.rows(
            [yes, no], of: "lm_head.weight", shape: [configuration.vocabularySize, hidden]), [0, 1]
        )
      score = FloatBuffer(count: hidden)
      let unwanted = FloatBuffer(count: hidden)
      table.copyRow(rows[0], to: score.start)
      table.copyRow(rows[1], to: unwanted.start)
      for column in 0..<hidden { score.start[column] -= unwanted.start[column] }
    }
    surplus = try loader.knownSurplus("Qwen3 reranker of \(layers.count) layers") {
      $0 == "lm_head.weight" || $0.hasSuffix("rotary_emb.inv_freq")
    }
  }
}
