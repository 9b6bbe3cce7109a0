import CEngineKernels

extension BertNetwork {
  /// Whether queries, keys and values are bfloat16, which attention reads twice as fast.
  private var attendsInBFloat16: Bool {
    precision != .fp32
      && engine_attention_bfloat16_supported(path.enginePath, configuration.headSize)
  }

  /// context = attention over each pair's tokens, or over each of its segments'. For the first
  /// tokens alone, `hidden` and the context have one row a pair afterwards.
  func attend(
    _ layer: BertWeights.Layer, _ batch: TokenBatch, readingFirstTokensOnly: Bool,
    _ scratch: Scratch
  ) {
    let hiddenSize = configuration.hiddenSize
    let brains = UnsafeMutableRawPointer(scratch.projected).assumingMemoryBound(to: UInt16.self)
    func project(_ linear: PackedLinear, rows: Int, _ input: PackedLinear.Prepared, column: Int) {
      if attendsInBFloat16 {
        linear.apply(
          rows: rows, input: input, output: brains + column, outputStride: 3 * hiddenSize)
      } else {
        linear.apply(
          rows: rows, input: input, output: scratch.projected + column,
          outputStride: 3 * hiddenSize)
      }
    }
    var input = layer.keyValue.prepare(
      rows: batch.tokenCount, input: scratch.hidden, inputStride: hiddenSize,
      scratch: scratch.shared)
    project(layer.keyValue, rows: batch.tokenCount, input, column: hiddenSize)
    var rows = batch.tokenCount
    if readingFirstTokensOnly {
      rows = batch.pairCount
      batch.moveRowsToFront(of: scratch.hidden, width: hiddenSize) { batch.bounds[$0] }
      input = layer.query.prepare(
        rows: rows, input: scratch.hidden, inputStride: hiddenSize, scratch: scratch.shared)
    }
    project(layer.query, rows: rows, input, column: 0)
    for pair in 0..<batch.pairCount {
      let first = batch.bounds[pair]
      let count = batch.bounds[pair + 1] - first
      if configuration.segments != nil {
        let queryCount = batch.queryCount(ofPair: pair)
        attend(
          queryRow: first, queryRows: queryCount, firstKey: first, keys: queryCount, scratch)
        attend(
          queryRow: first + queryCount, queryRows: count - queryCount,
          firstKey: first + queryCount, keys: count - queryCount, scratch)
      } else {
        attend(
          queryRow: readingFirstTokensOnly ? pair : first,
          queryRows: readingFirstTokensOnly ? 1 : count, firstKey: first, keys: count, scratch)
      }
    }
  }

  /// All heads of one sequence: context rows from `queryRow` on.
  private func attend(
    queryRow: Int, queryRows: Int, firstKey: Int, keys: Int, _ scratch: Scratch
  ) {
    // A segment that is shared has no rows here.
    guard queryRows > 0 else { return }
    let hiddenSize = configuration.hiddenSize
    let stride = 3 * hiddenSize
    let headSize = configuration.headSize
    let scale = 1 / Float(headSize).squareRoot()
    let brains = UnsafeRawPointer(scratch.projected).assumingMemoryBound(to: UInt16.self)
    for head in 0..<configuration.headCount {
      let column = head * headSize
      let query = queryRow * stride + column
      let key = firstKey * stride + hiddenSize + column
      let context = scratch.context + queryRow * hiddenSize + column
      if attendsInBFloat16 {
        engine_attention_bfloat16(
          path.enginePath, queryRows, keys, headSize, scale, brains + query, stride, brains + key,
          brains + key + hiddenSize, stride, context, hiddenSize, scratch.shared)
      } else {
        engine_attention(
          path.enginePath, queryRows, keys, headSize, scale, scratch.projected + query, stride,
          scratch.projected + key, scratch.projected + key + hiddenSize, stride, context,
          hiddenSize, scratch.shared)
      }
    }
  }

  /// What follows attention, for the first rows: hidden = norm(x + feed-forward(x)) with
  /// x = norm(hidden + output(context)).
  func finish(_ layer: BertWeights.Layer, rows: Int, _ scratch: Scratch) {
    let hiddenSize = configuration.hiddenSize
    for first in stride(from: 0, to: rows, by: Self.blockRows) {
      let count = min(Self.blockRows, rows - first)
      let hidden = scratch.hidden + first * hiddenSize
      layer.attentionOutput.apply(
        rows: count, input: scratch.context + first * hiddenSize, inputStride: hiddenSize,
        output: scratch.output, outputStride: hiddenSize, scratch: scratch.shared)
      normalize(layer.attentionNorm, count, hidden, adding: scratch.output)
      layer.up.apply(
        rows: count, input: hidden, inputStride: hiddenSize, output: scratch.intermediate,
        outputStride: configuration.intermediateSize,
        activation: configuration.activation.kernelActivation, scratch: scratch.shared)
      layer.down.apply(
        rows: count, input: scratch.intermediate, inputStride: configuration.intermediateSize,
        output: scratch.output, outputStride: hiddenSize, scratch: scratch.shared)
      normalize(layer.outputNorm, count, hidden, adding: scratch.output)
    }
  }
}
