import CEngineKernels
import Scoring
import Tokenization

/// A BERT's, XLM-RoBERTa's or segmented BERT's forward pass: token ids in, one logit a pair out.
///
/// The linear layers see the tokens of all pairs as one matrix of T rows without padding; attention
/// runs per pair and head. Where only the first token of a pair is read at the end, keys and values
/// are computed for all tokens in the last layer, and everything else for that one row.
struct BertNetwork: CrossEncoderNetwork {
  var configuration: BertConfiguration
  var weights: BertWeights
  let precision: Precision
  let path: KernelPath
  /// For measuring; the scores are the same.
  var computesWholeLastLayer = false

  var contextTokens: Int { configuration.contextTokens }
  var vocabularySize: Int { configuration.vocabularySize }
  var surplusTensors: [String] { weights.surplus }
  var tokenTypeCount: Int {
    configuration.family == .bert ? configuration.tokenTypeCount : TokenBatch.tokenTypesMax
  }
  var scoreKind: ScoreKind { configuration.scoreKind }

  var sharedPart: SharedPart { configuration.segments == nil ? .none : .query }

  var prefixBytesPerToken: Int {
    configuration.segments == nil
      ? 0 : SegmentHead.queryFloatsPerToken(size: configuration.hiddenSize) * 4
  }

  /// Rows that the layers after attention work on at a time, so that what they hand to one another
  /// stays in the second-level cache.
  static let blockRows = 96

  /// Where a pass keeps its intermediate results. H is the hidden size, I the intermediate size.
  struct Scratch {
    /// [T][H]
    let hidden: UnsafeMutablePointer<Float>
    /// [T][3H]: queries, keys and values, as floats or as bfloat16.
    let projected: UnsafeMutablePointer<Float>
    /// [T][H]: what attention gives.
    let context: UnsafeMutablePointer<Float>
    /// [block][H]
    let output: UnsafeMutablePointer<Float>
    /// [block][I]
    let intermediate: UnsafeMutablePointer<Float>
    /// Of the product or the head that is being computed.
    let shared: UnsafeMutablePointer<Float>
  }

  private func sharedFloats(tokens: Int, longest: Int) -> Int {
    let configuration = configuration
    let layer = weights.layers[0]
    let block = min(tokens, Self.blockRows)
    return [
      layer.keyValue.scratchFloats(rows: tokens), layer.attentionOutput.scratchFloats(rows: block),
      layer.up.scratchFloats(rows: block), layer.down.scratchFloats(rows: block),
      weights.head.scratchFloats(pairs: tokens, configuration),
      engine_attention_scratch_floats(longest, configuration.headSize),
      engine_attention_bfloat16_scratch_bytes(longest, configuration.headSize) / 4,
    ].max() ?? 0
  }

  func scratchFloats(tokens: Int, longest: Int) -> Int {
    let block = min(tokens, Self.blockRows)
    return tokens * 5 * configuration.hiddenSize
      + block * (configuration.hiddenSize + configuration.intermediateSize)
      + sharedFloats(tokens: tokens, longest: longest)
  }

  func logits(
    of batch: TokenBatch, scratch buffer: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void
  ) -> [Float] {
    let hiddenSize = configuration.hiddenSize
    let scratch = run(batch, scratch: buffer, observe: observe)
    switch weights.head {
    case .firstToken(let pooler, let classifier, let bias):
      if computesWholeLastLayer {
        batch.moveRowsToFront(of: scratch.hidden, width: hiddenSize) { batch.bounds[$0] }
      }
      pooler.apply(
        rows: batch.pairCount, input: scratch.hidden, inputStride: hiddenSize,
        output: scratch.context, outputStride: hiddenSize, scratch: scratch.shared)
      engine_tanh(batch.pairCount * hiddenSize, scratch.context)
      return (0..<batch.pairCount).map { pair in
        engine_dot(hiddenSize, scratch.context + pair * hiddenSize, classifier.start)
          + bias.start[0]
      }
    case .segments(let head):
      return (0..<batch.pairCount).map { pair in
        let states = scratch.hidden + batch.bounds[pair] * hiddenSize
        let ids = batch.tokens.ids[batch.bounds[pair]..<batch.bounds[pair + 1]]
        let queryCount = batch.queryCount(ofPair: pair)
        let query =
          batch.prefix(ofPair: pair).map(SegmentHead.Query.init)
          ?? head.query(
            ids: ids.prefix(queryCount), states: states, size: hiddenSize, mean: scratch.shared)
        return head.logit(
          query: query, ids: ids.dropFirst(queryCount), states: states + queryCount * hiddenSize,
          size: hiddenSize, scratch: scratch.shared + hiddenSize)
      }
    }
  }

  func prefix(
    of tokens: [Int32], scratch buffer: FloatBuffer, progress: () -> Void
  ) -> SharedPrefix? {
    guard case .segments(let head) = weights.head, !tokens.isEmpty else { return nil }
    var batch = TokenBatch()
    batch.appendPair { $0.append(ids: tokens) }
    let scratch = run(batch, scratch: buffer) { _, _ in progress() }
    return head.sharedQuery(tokens: tokens, states: scratch.hidden, size: configuration.hiddenSize)
  }

  /// Runs the layers: `hidden` of what is returned has the last states of all tokens, or of the
  /// pairs' first ones.
  private func run(
    _ batch: TokenBatch, scratch buffer: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void
  ) -> Scratch {
    let hiddenSize = configuration.hiddenSize
    let tokens = batch.tokenCount
    precondition(buffer.count >= scratchFloats(for: batch), "scratch too small")
    let block = min(tokens, Self.blockRows)
    let hidden = buffer.start
    let projected = hidden + tokens * hiddenSize
    let context = projected + 3 * tokens * hiddenSize
    let output = context + tokens * hiddenSize
    let intermediate = output + block * hiddenSize
    let scratch = Scratch(
      hidden: hidden, projected: projected, context: context, output: output,
      intermediate: intermediate,
      shared: intermediate + block * configuration.intermediateSize)

    embed(batch, into: hidden, positions: context)
    observe(0, UnsafeBufferPointer(start: hidden, count: tokens * hiddenSize))
    for (index, layer) in weights.layers.enumerated() {
      let isCut =
        index == weights.layers.count - 1 && configuration.segments == nil
        && !computesWholeLastLayer
      attend(layer, batch, readingFirstTokensOnly: isCut, scratch)
      let rows = isCut ? batch.pairCount : tokens
      finish(layer, rows: rows, scratch)
      observe(index + 1, UnsafeBufferPointer(start: hidden, count: rows * hiddenSize))
    }
    return scratch
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
      let document = configuration.segments == nil ? .max : first + batch.queryCount(ofPair: pair)
      for token in first..<batch.bounds[pair + 1] {
        let row = token * hiddenSize
        let start = token < document ? first : document
        weights.wordEmbeddings.copyRow(Int(batch.tokens.ids[token]), to: hidden + row)
        weights.positionEmbeddings.copyRow(
          configuration.firstPosition + token - start, to: positions + row)
        let type = configuration.family == .bert ? Int(batch.tokens.tokenTypes[token]) : 0
        engine_add(hiddenSize, types.start + type * hiddenSize, positions + row)
      }
    }
    normalize(weights.embeddingNorm, batch.tokenCount, hidden, adding: positions)
  }

  func normalize(
    _ norm: BertWeights.Norm, _ rows: Int, _ x: UnsafeMutablePointer<Float>,
    adding residual: UnsafePointer<Float>
  ) {
    engine_layer_norm(
      path.enginePath, rows, configuration.hiddenSize, x, residual, norm.gain.start,
      norm.bias.start, configuration.normEpsilon)
  }
}
