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
  /// What a logit means.
  var scoreKind: ScoreKind { get }
  /// Of the linear layers, as results state it.
  var precision: Precision { get }
  /// Which kernels run.
  var path: KernelPath { get }

  /// Floats of scratch that a batch of so many tokens needs.
  func scratchFloats(tokens: Int) -> Int

  /// The logits of the batch's pairs, in their order.
  ///
  /// - Parameters:
  ///   - batch: pairs of at most ``contextTokens`` tokens each.
  ///   - scratch: at least ``scratchFloats(tokens:)`` floats, for this call alone.
  func logits(of batch: TokenBatch, scratch: FloatBuffer) -> [Float]
}
