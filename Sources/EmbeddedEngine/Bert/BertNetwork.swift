import CEngineKernels
import Scoring
import Tokenization

/// A BERT's or XLM-RoBERTa's forward pass: token ids in, one logit a pair out.
///
/// The linear layers see the tokens of all pairs as one matrix of T rows without padding; attention
/// runs per pair and head. Only the first token of a pair is read at the end, so in the last layer
/// keys and values are computed for all tokens and everything else for that one row.
struct BertNetwork: CrossEncoderNetwork {
  var configuration: BertConfiguration
  var weights: BertWeights
  let precision: Precision
  let path: KernelPath

  var contextTokens: Int { configuration.contextTokens }
  var vocabularySize: Int { configuration.vocabularySize }
  var surplusTensors: [String] { weights.surplus }
  var tokenTypeCount: Int {
    configuration.family == .bert ? configuration.tokenTypeCount : TokenBatch.tokenTypesMax
  }
  var scoreKind: ScoreKind { configuration.scoreKind }

  func scratchFloats(tokens: Int, longest: Int) -> Int {
    let configuration = configuration
    let shared = weights.linears.map { $0.scratchFloats(rows: tokens) }.max() ?? 0
    return tokens * (5 * configuration.hiddenSize + configuration.intermediateSize)
      + max(
        shared,
        engine_attention_scratch_floats(longest, configuration.headSize))
  }

  func logits(
    of batch: TokenBatch, scratch: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void
  ) -> [Float] {
    let hiddenSize = configuration.hiddenSize
    let tokens = batch.tokenCount
    precondition(scratch.count >= scratchFloats(for: batch), "scratch too small")
    let hidden = scratch.start  // [T][H]
    let projected = hidden + tokens * hiddenSize  // [T][3H]: queries, keys, values; or [T][H]
    let context = projected + 3 * tokens * hiddenSize  // [T][H]
    let intermediate = context + tokens * hiddenSize  // [T][I]
    // Of the product or the head that is being computed.
    let shared = intermediate + tokens * configuration.intermediateSize

    embed(batch, into: hidden, positions: context)
    observe(0, UnsafeBufferPointer(start: hidden, count: tokens * hiddenSize))
    var rows = tokens
    for (index, layer) in weights.layers.enumerated() {
      let stride = 3 * hiddenSize
      apply(
        layer.keyValue, rows, hidden, to: projected + hiddenSize, stride: stride, scratch: shared)
      let isLast = index == weights.layers.count - 1
      if isLast {
        rows = batch.pairCount
        keepFirstTokens(of: batch, in: hidden)
      }
      apply(layer.query, rows, hidden, to: projected, stride: stride, scratch: shared)
      for pair in 0..<batch.pairCount {
        let first = batch.bounds[pair]
        let count = batch.bounds[pair + 1] - first
        attend(
          queries: projected + (isLast ? pair : first) * stride, queryRows: isLast ? 1 : count,
          keys: projected + first * stride + hiddenSize, tokens: count,
          to: context + (isLast ? pair : first) * hiddenSize, scratch: shared)
      }
      apply(
        layer.attentionOutput, rows, context, to: projected, stride: hiddenSize, scratch: shared)
      normalize(layer.attentionNorm, rows, hidden, adding: projected)
      apply(
        layer.up, rows, hidden, to: intermediate, stride: configuration.intermediateSize,
        activation: configuration.activation.kernelActivation, scratch: shared)
      apply(layer.down, rows, intermediate, to: projected, stride: hiddenSize, scratch: shared)
      normalize(layer.outputNorm, rows, hidden, adding: projected)
      observe(index + 1, UnsafeBufferPointer(start: hidden, count: rows * hiddenSize))
    }
    apply(weights.pooler, rows, hidden, to: context, stride: hiddenSize, scratch: shared)
    engine_tanh(rows * hiddenSize, context)
    return (0..<rows).map { pair in
      engine_dot(hiddenSize, context + pair * hiddenSize, weights.classifier.start)
        + weights.classifierBias.start[0]
    }
  }

  /// hidden[T][H] = norm(word + position + token type).
  private func embed(
    _ batch: TokenBatch, into hidden: UnsafeMutablePointer<Float>,
    positions: UnsafeMutablePointer<Float>
  ) {
    let hiddenSize = configuration.hiddenSize
    // Token types are few; their rows are taken out of the table once.
    let types = FloatBuffer(count: configuration.tokenTypeCount * hiddenSize)
    for type in 0..<configuration.tokenTypeCount {
      weights.tokenTypeEmbeddings.copyRow(type, to: types.start + type * hiddenSize)
    }
    for pair in 0..<batch.pairCount {
      let first = batch.bounds[pair]
      for token in first..<batch.bounds[pair + 1] {
        let row = token * hiddenSize
        weights.wordEmbeddings.copyRow(Int(batch.tokens.ids[token]), to: hidden + row)
        weights.positionEmbeddings.copyRow(
          configuration.firstPosition + token - first, to: positions + row)
        let type = configuration.family == .bert ? Int(batch.tokens.tokenTypes[token]) : 0
        engine_add(hiddenSize, types.start + type * hiddenSize, positions + row)
      }
    }
    normalize(weights.embeddingNorm, batch.tokenCount, hidden, adding: positions)
  }

  /// Moves each pair's first row to the front, in place: a pair's number is never above its start.
  private func keepFirstTokens(of batch: TokenBatch, in hidden: UnsafeMutablePointer<Float>) {
    let hiddenSize = configuration.hiddenSize
    for pair in 0..<batch.pairCount where batch.bounds[pair] != pair {
      (hidden + pair * hiddenSize).update(
        from: hidden + batch.bounds[pair] * hiddenSize, count: hiddenSize)
    }
  }

  /// All heads of one pair. Queries, keys and values lie side by side, 3H floats a row.
  private func attend(
    queries: UnsafePointer<Float>, queryRows: Int, keys: UnsafePointer<Float>, tokens: Int,
    to context: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let hiddenSize = configuration.hiddenSize
    let headSize = configuration.headSize
    for head in 0..<configuration.headCount {
      let column = head * headSize
      engine_attention(
        path.enginePath, queryRows, tokens, headSize, 1 / Float(headSize).squareRoot(),
        queries + column, 3 * hiddenSize, keys + column, keys + hiddenSize + column, 3 * hiddenSize,
        context + column, hiddenSize, scratch)
    }
  }

  private func apply(
    _ linear: PackedLinear, _ rows: Int, _ input: UnsafePointer<Float>,
    to output: UnsafeMutablePointer<Float>, stride: Int, activation: engine_activation = .none,
    scratch: UnsafeMutablePointer<Float>
  ) {
    linear.apply(
      rows: rows, input: input, inputStride: linear.inputs, output: output, outputStride: stride,
      activation: activation, scratch: scratch)
  }

  private func normalize(
    _ norm: BertWeights.Norm, _ rows: Int, _ x: UnsafeMutablePointer<Float>,
    adding residual: UnsafePointer<Float>
  ) {
    engine_layer_norm(
      path.enginePath, rows, configuration.hiddenSize, x, residual, norm.gain.start,
      norm.bias.start, configuration.normEpsilon)
  }
}
