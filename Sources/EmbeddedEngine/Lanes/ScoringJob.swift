import Scoring
import Synchronization

/// One call to the engine: what is to be scored, and in which order. It does not change; how far the
/// lanes have come with it is `LanePool`'s to know.
struct ScoringJob: Sendable {
  struct Output: Sendable, Equatable {
    /// One a document, in the request's order.
    var logits: [Float]
    /// Tokens of all pairs.
    var tokenCount: Int
  }

  let model: EmbeddedModel
  let query: RerankContent
  let instruction: String?
  let documents: [RerankContent]
  /// Numbers of documents, those first that take longest, so that no lane is left with one when the
  /// others are done.
  let order: [Int]
  /// Of the pairs in that order. Only the batches' sizes depend on them, never a score.
  let roughTokenCounts: [Int]
  let commonBeginning = CommonBeginning()
  let deadline: ContinuousClock.Instant
  let progress: @Sendable () -> Void

  init(
    model: EmbeddedModel, request: ScoringRequest, progress: @escaping @Sendable () -> Void
  ) {
    self.model = model
    self.query = request.query
    instruction = request.instruction
    self.documents = request.documents
    self.progress = progress
    deadline = .now.advanced(by: request.remaining)
    // What is computed once for all pairs is not in a batch with each of them.
    let isShared = model.network.prefixBytesPerToken > 0 && documents.count > 1
    let shared = isShared ? 0 : model.reservedTokens + Self.roughTokenCount(request.query)
    let tokenCounts = request.documents.map {
      max(1, min(shared + Self.roughTokenCount($0), model.contextTokens))
    }
    order = tokenCounts.indices.sorted { (tokenCounts[$1], $0) < (tokenCounts[$0], $1) }
    roughTokenCounts = order.map { tokenCounts[$0] }
  }

  /// English has about four bytes a token.
  private static func roughTokenCount(_ content: RerankContent) -> Int {
    content.parts.reduce(0) { bytes, part in
      if case .text(let text) = part { bytes + text.utf8.count } else { bytes }
    } / 4
  }
}

/// The tokens that all pairs of a job begin with, found by the first lane that needs them.
final class CommonBeginning: Sendable {
  private let found = Mutex<[Int32]?>(nil)

  func tokens(_ find: () throws -> [Int32]) rethrows -> [Int32] {
    try found.withLock { found in
      if let found { return found }
      let tokens = try find()
      found = tokens
      return tokens
    }
  }
}
