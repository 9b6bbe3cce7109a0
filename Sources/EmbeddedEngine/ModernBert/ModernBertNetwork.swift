import CEngineKernels
import Scoring
import Tokenization

/// A ModernBERT cross-encoder's forward pass.
///
/// Norms stand before attention and feed-forward, and once more after the last layer; positions are
/// rotations of queries and keys; most layers see only a window around each token; the feed-forward
/// layer multiplies one half of its values with the other half's activation. Linear layers see the
/// tokens of all pairs as one matrix. With first-token pooling the last layer goes on with that row
/// alone once keys and values are there.
struct ModernBertNetwork: CrossEncoderNetwork {
  var configuration: ModernBertConfiguration
  var weights: ModernBertWeights
  let precision: Precision
  let path: KernelPath
  var globalRotation: RotaryTable
  var localRotation: RotaryTable

  var contextTokens: Int { configuration.positionCount }
  var vocabularySize: Int { configuration.vocabularySize }
  var surplusTensors: [String] { weights.surplus }
  var scoreKind: ScoreKind { configuration.scoreKind }

  init(
    configuration: ModernBertConfiguration, weights: ModernBertWeights, precision: Precision,
    path: KernelPath
  ) {
    self.configuration = configuration
    self.weights = weights
    self.precision = precision
    self.path = path
    func rotation(_ theta: Float) -> RotaryTable {
      RotaryTable(
        positions: configuration.positionCount, headSize: configuration.headSize, theta: theta)
    }
    globalRotation = rotation(configuration.globalTheta)
    localRotation = rotation(configuration.localTheta)
  }

  func scratchFloats(tokens: Int, longest: Int) -> Int {
    let shared =
      weights.linears.map { $0.scratchFloats(rows: tokens) }
      + [
        engine_attention_scratch_floats(longest, configuration.headSize),
        engine_span_attention_scratch_floats(longest, configuration.headSize),
      ]
    return tokens * (6 * configuration.hiddenSize + 3 * configuration.intermediateSize)
      + (shared.max() ?? 0)
  }

  func logits(
    of batch: TokenBatch, scratch: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void
  ) -> [Float] {
    let width = configuration.hiddenSize
    let tokens = batch.tokenCount
    precondition(scratch.count >= scratchFloats(for: batch), "scratch too small")
    let hidden = scratch.start  // [T][H]
    let normed = hidden + tokens * width  // [T][H]
    let projected = normed + tokens * width  // [T][3H]: queries, keys, values; or [T][H]
    let context = projected + 3 * tokens * width  // [T][H]
    let wide = context + tokens * width  // [T][2I]
    let gated = wide + 2 * tokens * configuration.intermediateSize  // [T][I]
    // Of the product or the head that is being computed.
    let shared = gated + tokens * configuration.intermediateSize

    for (row, id) in batch.tokens.ids.enumerated() {
      weights.wordEmbeddings.copyRow(Int(id), to: hidden + row * width)
    }
    normalize(weights.embeddingNorm, tokens, hidden)
    observe(0, UnsafeBufferPointer(start: hidden, count: tokens * width))
    var rows = tokens
    for (index, layer) in weights.layers.enumerated() {
      var input = hidden
      if let norm = layer.attentionNorm {
        normed.update(from: hidden, count: tokens * width)
        normalize(norm, tokens, normed)
        input = normed
      }
      apply(layer.queryKeyValue, tokens, input, to: projected, scratch: shared)
      let isCut = index == weights.layers.count - 1 && configuration.pooling == .firstToken
      for pair in 0..<batch.pairCount {
        let first = batch.bounds[pair]
        attend(
          projected + first * 3 * width, tokens: batch.bounds[pair + 1] - first,
          queryRows: isCut ? 1 : nil, isGlobal: configuration.layersAreGlobal[index],
          to: context + (isCut ? pair : first) * width, scratch: shared)
      }
      if isCut {
        rows = batch.pairCount
        batch.moveRowsToFront(of: hidden, width: width) { batch.bounds[$0] }
      }
      apply(layer.attentionOutput, rows, context, to: projected, scratch: shared)
      engine_add(rows * width, projected, hidden)
      normed.update(from: hidden, count: rows * width)
      normalize(layer.feedForwardNorm, rows, normed)
      apply(layer.up, rows, normed, to: wide, scratch: shared)
      engine_gated(
        path.enginePath, configuration.activation.kernelGate, rows, configuration.intermediateSize,
        wide, gated)
      apply(layer.down, rows, gated, to: projected, scratch: shared)
      engine_add(rows * width, projected, hidden)
      observe(index + 1, UnsafeBufferPointer(start: hidden, count: rows * width))
    }
    normalize(weights.finalNorm, rows, hidden)
    if configuration.pooling == .mean { takeMeans(of: batch, in: hidden) }
    apply(
      weights.head, batch.pairCount, hidden, to: context, scratch: shared,
      activation: configuration.classifierActivation.kernelActivation)
    normalize(weights.headNorm, batch.pairCount, context)
    return (0..<batch.pairCount).map { pair in
      engine_dot(width, context + pair * width, weights.classifier.start)
        + weights.classifierBias.start[0]
    }
  }

  /// All heads of one pair, whose queries, keys and values lie side by side, 3H floats a row.
  ///
  /// - Parameters:
  ///   - queryRows: how many of the first tokens ask; nil for all.
  private func attend(
    _ rows: UnsafeMutablePointer<Float>, tokens: Int, queryRows: Int?, isGlobal: Bool,
    to context: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let width = configuration.hiddenSize
    let headSize = configuration.headSize
    let scale = 1 / Float(headSize).squareRoot()
    let rotation = (isGlobal ? globalRotation : localRotation).rows(from: 0)
    // Queries and keys are neighbours, so their heads turn together.
    engine_rotate(
      path.enginePath, tokens, 2 * configuration.headCount, headSize, rotation.cosines,
      rotation.sines, rows, 3 * width)
    for head in 0..<configuration.headCount {
      let queries = rows + head * headSize
      let keys = queries + width
      let values = keys + width
      let out = context + head * headSize
      if isGlobal {
        engine_attention(
          path.enginePath, queryRows ?? tokens, tokens, headSize, scale, queries, 3 * width, keys,
          values, 3 * width, out, width, scratch)
      } else {
        engine_span_attention(
          path.enginePath, queryRows ?? tokens, 0, 1, headSize,
          engine_span(before: configuration.localReach, after: configuration.localReach), scale,
          queries, 3 * width, engine_key_rows(keys: nil, values: nil, count: 0, stride: 0),
          engine_key_rows(keys: keys, values: values, count: tokens, stride: 3 * width), out, width,
          scratch)
      }
    }
  }

  /// Puts the mean of each pair's rows in the pair's row, in place: a pair's number is never above
  /// its start.
  private func takeMeans(of batch: TokenBatch, in hidden: UnsafeMutablePointer<Float>) {
    let width = configuration.hiddenSize
    for pair in 0..<batch.pairCount {
      let rows = batch.bounds[pair]..<batch.bounds[pair + 1]
      let mean = hidden + pair * width
      if rows.lowerBound != pair {
        mean.update(from: hidden + rows.lowerBound * width, count: width)
      }
      for row in rows.dropFirst() { engine_add(width, hidden + row * width, mean) }
      let share = 1 / Float(rows.count)
      for column in 0..<width { mean[column] *= share }
    }
  }

  private func apply(
    _ linear: PackedLinear, _ rows: Int, _ input: UnsafePointer<Float>,
    to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    activation: engine_activation = .none
  ) {
    linear.apply(
      rows: rows, input: input, inputStride: linear.inputs, output: output,
      outputStride: linear.outputs, activation: activation, scratch: scratch)
  }

  private func normalize(
    _ norm: ModernBertWeights.Norm, _ rows: Int, _ x: UnsafeMutablePointer<Float>
  ) {
    engine_layer_norm(
      path.enginePath, rows, configuration.hiddenSize, x, nil, norm.gain.start, norm.bias.start,
      configuration.normEpsilon)
  }
}
