import CEngineKernels
import Scoring
import Tokenization

/// A Qwen3 reranker's forward pass.
///
/// A decoder: a token sees those before it alone. So what the pairs of a job begin with is computed
/// once (``prefix(of:scratch:progress:)``), and the score is read off a pair's last token, for
/// which alone the last layer goes on once keys and values are there. Every query and key head is
/// normalised before it is rotated, and several query heads share the keys and values of one head.
struct Qwen3Network: CrossEncoderNetwork {
  var configuration: Qwen3Configuration
  var weights: Qwen3Weights
  let precision: Precision
  let path: KernelPath
  var rotation: RotaryTable

  var contextTokens: Int { configuration.contextTokens }
  var vocabularySize: Int { configuration.vocabularySize }
  var surplusTensors: [String] { weights.surplus }
  var scoreKind: ScoreKind { configuration.scoreKind }

  init(
    configuration: Qwen3Configuration, weights: Qwen3Weights, precision: Precision, path: KernelPath
  ) {
    self.configuration = configuration
    self.weights = weights
    self.precision = precision
    self.path = path
    rotation = RotaryTable(
      positions: configuration.contextTokens, headSize: configuration.headSize,
      theta: configuration.theta)
  }

  var sharedPart: SharedPart { .beginning }

  var prefixBytesPerToken: Int {
    configuration.layerCount * 2 * configuration.keyWidth * MemoryLayout<Float>.stride
  }

  /// Queries, keys and values of a token, side by side; or H columns.
  private var projectedWidth: Int {
    max(configuration.queryWidth + 2 * configuration.keyWidth, configuration.hiddenSize)
  }

  func scratchFloats(tokens: Int, longest: Int) -> Int {
    let shared =
      weights.linears.map { $0.scratchFloats(rows: tokens) }
      + [engine_span_attention_scratch_floats(longest, configuration.headSize)]
    return tokens
      * (2 * configuration.hiddenSize + projectedWidth + configuration.queryWidth
        + 3 * configuration.intermediateSize)
      + (shared.max() ?? 0)
  }

  func logits(
    of batch: TokenBatch, scratch: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void
  ) -> [Float] {
    let hidden = run(batch, scratch: scratch, observe: observe) { _, _ in }
    let width = configuration.hiddenSize
    engine_rms_norm(
      path.enginePath, batch.pairCount, width, hidden, width, weights.finalNorm.start,
      configuration.normEpsilon, hidden, width)
    return (0..<batch.pairCount).map {
      engine_dot(width, hidden + $0 * width, weights.score.start)
    }
  }

  func prefix(
    of tokens: [Int32], scratch: FloatBuffer, progress: () -> Void
  ) -> SharedPrefix? {
    guard !tokens.isEmpty else { return nil }
    var batch = TokenBatch()
    batch.appendPair { $0.append(ids: tokens) }
    let keyWidth = 2 * configuration.keyWidth
    var layers: [FloatBuffer] = []
    _ = run(batch, scratch: scratch, observe: { _, _ in progress() }) { projected, stride in
      let rows = FloatBuffer(count: tokens.count * keyWidth)
      for row in 0..<tokens.count {
        (rows.start + row * keyWidth).update(
          from: projected + row * stride + configuration.queryWidth, count: keyWidth)
      }
      layers.append(rows)
    }
    return SharedPrefix(tokens: tokens, layers: layers)
  }

  /// Runs the layers. Returns the hidden states of each pair's last token, [pairs][H].
  ///
  /// - Parameters:
  ///   - keep: sees each layer's queries, keys and values of all tokens, so many floats a row.
  private func run(
    _ batch: TokenBatch, scratch: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void,
    keep: (_ projected: UnsafePointer<Float>, _ stride: Int) -> Void
  ) -> UnsafeMutablePointer<Float> {
    let width = configuration.hiddenSize
    let tokens = batch.tokenCount
    let stride = projectedWidth
    precondition(scratch.count >= scratchFloats(for: batch), "scratch too small")
    let hidden = scratch.start  // [T][H]
    let normed = hidden + tokens * width  // [T][H]
    let projected = normed + tokens * width  // [T][Q + 2K]: queries, keys, values; or [T][H]
    let context = projected + tokens * stride  // [T][Q]
    let wide = context + tokens * configuration.queryWidth  // [T][2I]
    let gated = wide + 2 * tokens * configuration.intermediateSize  // [T][I]
    // Of the product or the head that is being computed.
    let shared = gated + tokens * configuration.intermediateSize

    for (row, id) in batch.tokens.ids.enumerated() {
      weights.wordEmbeddings.copyRow(Int(id), to: hidden + row * width)
    }
    observe(0, UnsafeBufferPointer(start: hidden, count: tokens * width))
    var rows = tokens
    for (index, layer) in weights.layers.enumerated() {
      normalize(layer.attentionNorm, rows, hidden, to: normed)
      apply(
        layer.keyValue, rows, normed, to: projected + configuration.queryWidth, stride: stride,
        scratch: shared)
      let isLast = index == weights.layers.count - 1
      if isLast {
        rows = batch.pairCount
        for matrix in [hidden, normed] {
          batch.moveRowsToFront(of: matrix, width: width) { batch.bounds[$0 + 1] - 1 }
        }
      }
      apply(layer.query, rows, normed, to: projected, stride: stride, scratch: shared)
      rotate(batch, layer, projected, onlyLastQueries: isLast)
      keep(projected, stride)
      for pair in 0..<batch.pairCount {
        attend(
          batch, pair: pair, layer: index, projected, onlyLastQuery: isLast, to: context,
          scratch: shared)
      }
      apply(layer.attentionOutput, rows, context, to: projected, stride: width, scratch: shared)
      engine_add(rows * width, projected, hidden)
      normalize(layer.feedForwardNorm, rows, hidden, to: normed)
      apply(layer.up, rows, normed, to: wide, stride: layer.up.outputs, scratch: shared)
      engine_gated(
        path.enginePath, .silu, rows, configuration.intermediateSize, wide, gated)
      apply(layer.down, rows, gated, to: projected, stride: width, scratch: shared)
      engine_add(rows * width, projected, hidden)
      observe(index + 1, UnsafeBufferPointer(start: hidden, count: rows * width))
    }
    return hidden
  }

  /// Normalises and rotates the heads of queries and keys, each token at its pair's position.
  private func rotate(
    _ batch: TokenBatch, _ layer: Qwen3Weights.Layer, _ projected: UnsafeMutablePointer<Float>,
    onlyLastQueries: Bool
  ) {
    let headSize = configuration.headSize
    let stride = projectedWidth
    func turn(
      _ rows: UnsafeMutablePointer<Float>, _ count: Int, heads: Int, norm: FloatBuffer,
      position: Int
    ) {
      for row in 0..<count {
        let start = rows + row * stride
        engine_rms_norm(
          path.enginePath, heads, headSize, start, headSize, norm.start, configuration.normEpsilon,
          start, headSize)
      }
      let angles = rotation.rows(from: position)
      engine_rotate(
        path.enginePath, count, heads, headSize, angles.cosines, angles.sines, rows, stride)
    }
    for pair in 0..<batch.pairCount {
      let first = batch.bounds[pair]
      let count = batch.bounds[pair + 1] - first
      let position = batch.sharedCount(ofPair: pair)
      turn(
        projected + first * stride + configuration.queryWidth, count,
        heads: configuration.keyValueHeadCount, norm: layer.keyNorm, position: position)
      turn(
        projected + (onlyLastQueries ? pair : first) * stride, onlyLastQueries ? 1 : count,
        heads: configuration.headCount, norm: layer.queryNorm,
        position: onlyLastQueries ? position + count - 1 : position)
    }
  }

  /// All heads of one pair.
  private func attend(
    _ batch: TokenBatch, pair: Int, layer: Int, _ projected: UnsafeMutablePointer<Float>,
    onlyLastQuery: Bool, to context: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let headSize = configuration.headSize
    let stride = projectedWidth
    let group = configuration.headCount / configuration.keyValueHeadCount
    let first = batch.bounds[pair]
    let count = batch.bounds[pair + 1] - first
    let sharedCount = batch.sharedCount(ofPair: pair)
    let row = onlyLastQuery ? pair : first
    for head in 0..<configuration.keyValueHeadCount {
      let queries = head * group * headSize
      let keys = projected + first * stride + configuration.queryWidth + head * headSize
      let sharedKeys = batch.prefix(ofPair: pair).map { $0.layers[layer].start + head * headSize }
      engine_span_attention(
        path.enginePath, onlyLastQuery ? 1 : count,
        sharedCount + (onlyLastQuery ? count - 1 : 0), group, headSize,
        engine_span(before: .max, after: 0), 1 / Float(headSize).squareRoot(),
        projected + row * stride + queries, stride,
        engine_key_rows(
          keys: sharedKeys, values: sharedKeys.map { $0 + configuration.keyWidth },
          count: sharedCount, stride: 2 * configuration.keyWidth),
        engine_key_rows(
          keys: keys, values: keys + configuration.keyWidth, count: count, stride: stride),
        context + row * configuration.queryWidth + queries, configuration.queryWidth, scratch)
    }
  }

  private func apply(
    _ linear: PackedLinear, _ rows: Int, _ input: UnsafePointer<Float>,
    to output: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutablePointer<Float>
  ) {
    linear.apply(
      rows: rows, input: input, inputStride: linear.inputs, output: output, outputStride: stride,
      scratch: scratch)
  }

  private func normalize(
    _ gain: FloatBuffer, _ rows: Int, _ x: UnsafePointer<Float>,
    to output: UnsafeMutablePointer<Float>
  ) {
    let width = configuration.hiddenSize
    engine_rms_norm(
      path.enginePath, rows, width, x, width, gain.start, configuration.normEpsilon, output, width)
  }
}
