import CEngineKernels

/// Turns the encoder's last states of a pair's two segments into its logit, which is linear in
/// three features:
///
/// - the best window: of the cosines of the query's mean vector with the mean of so many tokens of
///   the document in a row the largest, since a long document is about more than its answer;
/// - the max-similarity: for each of the query's tokens the best cosine with a token of the
///   document, averaged, the query's control tokens aside (late interaction, as ColBERT has it,
///   arXiv:2004.12832);
/// - the lexical match: the share of the query's term weights that the document has, each
///   saturating with its frequency f as f / (f + k₁(1 − b + b·length/average)), which is BM25's way
///   with weights and an average length that come with the model. So the score depends on this pair
///   alone, and on no other document.
///
/// `Training/head.py` beside the built-in model is the same in Python.
struct SegmentHead: Sendable {
  /// [3], of the features in the order above.
  var featureWeights: FloatBuffer
  /// [1]
  var bias: FloatBuffer
  /// Token id → the number of its term: inflections of a word share one.
  var terms: FloatBuffer
  /// Token id → the weight of its term, 0 for control tokens and words that say nothing.
  var termWeights: FloatBuffer
  var configuration: SegmentConfiguration

  /// - Throws: ``EmbeddedEngineError`` naming a tensor that is missing or misshapen.
  init(
    _ loader: inout TensorLoader, _ configuration: SegmentConfiguration, vocabularySize: Int
  ) throws {
    self.configuration = configuration
    featureWeights = try loader.floats(["segments.feature_weights"], shape: [3])
    bias = try loader.floats(["segments.bias"], shape: [1])
    terms = try loader.floats(["segments.terms"], shape: [vocabularySize])
    termWeights = try loader.floats(["segments.term_weights"], shape: [vocabularySize])
  }

  /// Floats of scratch beside the hidden states: the query's mean vector, and a sum.
  func scratchFloats(hiddenSize: Int) -> Int { 2 * hiddenSize }

  /// What a query is compared by.
  struct Query {
    let ids: ArraySlice<Int32>
    /// [tokens][H], rows of length 1.
    let states: UnsafePointer<Float>
    /// [H]: the sum of the states as the encoder gave them.
    let mean: UnsafePointer<Float>
  }

  /// - Parameters:
  ///   - states: [tokens][H] after the last layer; its rows are scaled in place.
  ///   - mean: [H], gets their sum.
  func query(
    ids: ArraySlice<Int32>, states: UnsafeMutablePointer<Float>, size: Int,
    mean: UnsafeMutablePointer<Float>
  ) -> Query {
    let rows = Rows(start: states, count: ids.count, size: size)
    rows.sum(0..<rows.count, into: mean)
    rows.scaleToUnit()
    return Query(ids: ids, states: states, mean: mean)
  }

  /// Floats that ``sharedQuery(tokens:states:size:)`` keeps, at most, for each token: its row, and
  /// a part of the mean vector.
  static func queryFloatsPerToken(size: Int) -> Int { 2 * size }

  /// The same, kept for the pairs of a job.
  func sharedQuery(
    tokens: [Int32], states: UnsafeMutablePointer<Float>, size: Int
  ) -> SharedPrefix {
    let mean = FloatBuffer(count: size)
    let kept = FloatBuffer(count: tokens.count * size)
    _ = query(ids: tokens[...], states: states, size: size, mean: mean.start)
    kept.start.update(from: states, count: kept.count)
    return SharedPrefix(tokens: tokens, layers: [kept, mean])
  }

  /// One pair's logit. Scales the document's rows to length 1 in place.
  ///
  /// - Parameters:
  ///   - ids: of the document's tokens.
  ///   - states: [document tokens][H], after the last layer.
  ///   - scratch: [H]
  func logit(
    query: Query, ids: ArraySlice<Int32>, states: UnsafeMutablePointer<Float>, size: Int,
    scratch: UnsafeMutablePointer<Float>
  ) -> Float {
    let document = Rows(start: states, count: ids.count, size: size)
    let window = bestWindow(of: document, query: query.mean, sum: scratch)
    document.scaleToUnit()
    let features = [
      window, maxSimilarity(query, document), lexicalMatch(query: query.ids, document: ids),
    ]
    return features.indices.reduce(bias.start[0]) {
      $0 + featureWeights.start[$1] * features[$1]
    }
  }

  private func bestWindow(
    of document: Rows, query: UnsafePointer<Float>, sum: UnsafeMutablePointer<Float>
  ) -> Float {
    let last = max(document.count - configuration.windowTokens, 0)
    var best: Float = -1
    for start in Array(stride(from: 0, to: last, by: configuration.windowStep)) + [last] {
      let end = min(start + configuration.windowTokens, document.count)
      document.sum(start..<end, into: sum)
      best = max(best, cosine(query, sum, document.size))
    }
    return best
  }

  private func maxSimilarity(_ query: Query, _ document: Rows) -> Float {
    let tokens = 1..<max(query.ids.count - 1, 1)
    guard !tokens.isEmpty, document.count > 0 else { return 0 }
    let size = document.size
    let sum = tokens.reduce(Float(0)) { sum, token in
      sum
        + (0..<document.count).reduce(Float(-1)) {
          max($0, engine_dot(size, query.states + token * size, document.row($1)))
        }
    }
    return sum / Float(tokens.count)
  }

  private func lexicalMatch(query: ArraySlice<Int32>, document: ArraySlice<Int32>) -> Float {
    let lexical = configuration.lexical
    let length = Float(document.count) / lexical.lengthAverage
    let saturation = lexical.saturation * (1 - lexical.lengthShare + lexical.lengthShare * length)
    var total: Float = 0
    var match: Float = 0
    for token in query where termWeights.start[Int(token)] > 0 {
      let weight = termWeights.start[Int(token)] + lexical.weightFloor
      let term = terms.start[Int(token)]
      let frequency = Float(
        document.count { terms.start[Int($0)] == term && termWeights.start[Int($0)] > 0 })
      total += weight
      match += weight * frequency / (frequency + saturation)
    }
    return total > 0 ? match / total : 0
  }

  /// Of vectors of any length.
  private func cosine(
    _ first: UnsafePointer<Float>, _ second: UnsafePointer<Float>, _ size: Int
  ) -> Float {
    let lengths = (engine_dot(size, first, first) * engine_dot(size, second, second)).squareRoot()
    return engine_dot(size, first, second) / max(lengths, 1e-12)
  }
}

extension SegmentHead.Query {
  /// What ``SegmentHead/sharedQuery(tokens:states:size:)`` kept.
  init(_ prefix: SharedPrefix) {
    self.init(
      ids: prefix.tokens[...], states: prefix.layers[0].start, mean: prefix.layers[1].start)
  }
}

/// Some rows of a matrix, one behind the other.
private struct Rows {
  var start: UnsafeMutablePointer<Float>
  var count: Int
  var size: Int

  func row(_ index: Int) -> UnsafeMutablePointer<Float> { start + index * size }

  func sum(_ rows: Range<Int>, into sum: UnsafeMutablePointer<Float>) {
    sum.update(repeating: 0, count: size)
    for index in rows { engine_add(size, row(index), sum) }
  }

  func scaleToUnit() {
    for index in 0..<count {
      let row = row(index)
      let scale = 1 / max(engine_dot(size, row, row).squareRoot(), 1e-12)
      for column in 0..<size { row[column] *= scale }
    }
  }
}
