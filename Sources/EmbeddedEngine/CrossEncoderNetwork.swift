import Scoring

/// A cross-encoder's forward pass: the tokens of some pairs in, one logit a pair out.
///
/// Each architecture is one type that conforms; ``NetworkConfiguration`` chooses it. A pair's logit
/// depends on its tokens alone, bit for bit: not on its neighbours in the batch, nor on the thread.
protocol CrossEncoderNetwork: Sendable {
  /// Tokens of one pair, the control tokens around its texts included.
  var contextTokens: Int { get }
  /// Token ids are below this.
  var vocabularySize: Int { get }
  /// Token types are below this; ``TokenBatch/tokenTypesMax`` where the model has none.
  var tokenTypeCount: Int { get }
  /// What a logit means.
  var scoreKind: ScoreKind { get }
  /// Of the linear layers, as results state it.
  var precision: Precision { get }
  /// Tensors of the checkpoint that no score needs.
  var surplusTensors: [String] { get }
  /// Which kernels run.
  var path: KernelPath { get }

  /// Floats of scratch that a batch needs.
  ///
  /// - Parameters:
  ///   - tokens: those that are computed.
  ///   - longest: tokens of the longest pair, those that it shares included.
  func scratchFloats(tokens: Int, longest: Int) -> Int

  /// What of a job's pairs can be computed once for all of them.
  var sharedPart: SharedPart { get }

  /// Bytes that a shared prefix takes for each of its tokens; 0 where nothing can be shared.
  var prefixBytesPerToken: Int { get }

  /// What the pairs that begin with these tokens, a ``sharedPart``, have in common; nil where
  /// nothing can be shared.
  ///
  /// - Parameters:
  ///   - scratch: as for a batch of one pair with these tokens.
  ///   - progress: called after each layer.
  func prefix(of tokens: [Int32], scratch: FloatBuffer, progress: () -> Void) -> SharedPrefix?

  /// The logits of the batch's pairs, in their order.
  ///
  /// - Parameters:
  ///   - batch: pairs of at most ``contextTokens`` tokens each.
  ///   - scratch: at least ``scratchFloats(for:)`` floats, for this call alone.
  ///   - observe: sees the hidden states [rows][H] after the embeddings (0) and after each layer
  ///     (1…), one row a token; after the last layer only the rows that the score is made of.
  func logits(
    of batch: TokenBatch, scratch: FloatBuffer,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void
  ) -> [Float]
}

enum SharedPart: Sendable {
  /// Each token depends on all others of its pair.
  case none
  /// Any tokens that the pairs begin with: each depends on those before it alone.
  case beginning
  /// The query's segment as a whole, which does not see the document's.
  case query
}

extension CrossEncoderNetwork {
  var tokenTypeCount: Int { TokenBatch.tokenTypesMax }

  var sharedPart: SharedPart { .none }

  var prefixBytesPerToken: Int { 0 }

  func prefix(
    of tokens: [Int32], scratch: FloatBuffer, progress: () -> Void
  ) -> SharedPrefix? { nil }

  func scratchFloats(for batch: TokenBatch) -> Int {
    scratchFloats(tokens: batch.tokenCount, longest: batch.longestPair)
  }

  func logits(of batch: TokenBatch, scratch: FloatBuffer) -> [Float] {
    logits(of: batch, scratch: scratch) { _, _ in }
  }
}
