import CEngineKernels

/// Turns the encoder's last states of a pair's two segments into its logit.
///
/// With q and d the segments' mean vectors scaled to length 1, the logit is linear in
///
/// - q ⊙ d and |q − d|, element by element: 2H values;
/// - their cosine;
/// - the max-similarity: for each of the query's tokens the best cosine with a token of the document,
///   averaged by the tokens' weights (late interaction, as ColBERT has it, arXiv:2004.12832);
/// - the lexical match: the share of the query's weight whose terms the document has, each
///   saturating with its frequency f as f / (f + k₁(1 − b + b·length/average)), which is BM25's way
///   with weights and an average length that come with the model. So the score depends on this pair
///   alone, and on no other document.
///
/// `Training/model.py` beside the built-in model is the same in Python.
struct SegmentHead: Sendable {
  /// [2H]: of q ⊙ d, then of |q − d|.
  var vectorWeights: FloatBuffer
  /// [3]: of the cosine, the max-similarity and the lexical match.
  var scalarWeights: FloatBuffer
  /// [1]
  var bias: FloatBuffer
  /// Token id → the number of its term: inflections of a word share one.
  var terms: FloatBuffer
  /// Token id → the weight of its term, 0 for control tokens and words that say nothing.
  var termWeights: FloatBuffer
  var constants: SegmentConfiguration.Lexical

  /// Floats of scratch beside the hidden states: both mean vectors, and one number a token.
  func scratchFloats(longest: Int, hiddenSize: Int) -> Int { 2 * hiddenSize + longest }

  /// One pair's logit. Scales the states' rows to length 1 in place.
  ///
  /// - Parameters:
  ///   - hidden: [query tokens + document tokens][H], after the last layer.
  ///   - ids: of those tokens.
  ///   - queryCount: how many of them are the query's, its control tokens included.
  func logit(
    hidden: UnsafeMutablePointer<Float>, hiddenSize: Int, ids: ArraySlice<Int32>, queryCount: Int,
    scratch: UnsafeMutablePointer<Float>
  ) -> Float {
    let documentCount = ids.count - queryCount
    let query = scratch
    let document = query + hiddenSize
    mean(of: hidden, rows: queryCount, hiddenSize, into: query)
    mean(
      of: hidden + queryCount * hiddenSize, rows: documentCount, hiddenSize, into: document)
    let cosine = engine_dot(hiddenSize, query, document)
    var vectors: Float = 0
    for index in 0..<hiddenSize {
      vectors += vectorWeights.start[index] * query[index] * document[index]
      vectors += vectorWeights.start[hiddenSize + index] * abs(query[index] - document[index])
    }
    let (similarity, match) = tokenScores(
      hidden: hidden, hiddenSize: hiddenSize, ids: ids, queryCount: queryCount)
    return vectors + bias.start[0] + scalarWeights.start[0] * cosine
      + scalarWeights.start[1] * similarity + scalarWeights.start[2] * match
  }

  /// The max-similarity and the lexical match.
  private func tokenScores(
    hidden: UnsafeMutablePointer<Float>, hiddenSize: Int, ids: ArraySlice<Int32>, queryCount: Int
  ) -> (similarity: Float, match: Float) {
    let first = ids.startIndex
    func weight(_ token: Int) -> Float { termWeights.start[Int(ids[first + token])] }
    func term(_ token: Int) -> Float { terms.start[Int(ids[first + token])] }

    let spoken = (0..<ids.count).filter { weight($0) > 0 }
    for token in spoken { scaleToUnit(hidden + token * hiddenSize, hiddenSize) }
    let content = spoken.filter { $0 >= queryCount }
    let saturation =
      constants.saturation
      * (1 - constants.lengthShare + constants.lengthShare * Float(ids.count - queryCount)
        / constants.lengthAverage)
    var total: Float = 0
    var similarity: Float = 0
    var match: Float = 0
    for token in spoken where token < queryCount {
      let own = weight(token) + constants.weightFloor
      total += own
      var best: Float = -1
      var frequency: Float = 0
      for other in content {
        best = max(
          best, engine_dot(hiddenSize, hidden + token * hiddenSize, hidden + other * hiddenSize))
        if term(token) == term(other) { frequency += 1 }
      }
      similarity += own * best
      match += own * frequency / (frequency + saturation)
    }
    return total > 0 ? (similarity / total, match / total) : (0, 0)
  }

  private func mean(
    of rows: UnsafePointer<Float>, rows count: Int, _ hiddenSize: Int,
    into mean: UnsafeMutablePointer<Float>
  ) {
    mean.update(repeating: 0, count: hiddenSize)
    for row in 0..<count { engine_add(hiddenSize, rows + row * hiddenSize, mean) }
    // Scaled to length 1, which a division by the count would not change.
    scaleToUnit(mean, hiddenSize)
  }

  private func scaleToUnit(_ vector: UnsafeMutablePointer<Float>, _ count: Int) {
    let length = engine_dot(count, vector, vector).squareRoot()
    let scale = 1 / max(length, 1e-12)
    for index in 0..<count { vector[index] *= scale }
  }
}
