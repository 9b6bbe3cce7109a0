import Scoring
import Synchronization

/// One call to the engine: what is to be scored, cut into chunks. It does not change; how far the
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
  /// Numbers of documents. The chunk with the longest documents comes first, so that no lane is
  /// left with it when the others are done.
  let chunks: [[Int]]
  let commonBeginning = CommonBeginning()
  let deadline: ContinuousClock.Instant
  let progress: @Sendable () -> Void

  init(
    model: EmbeddedModel, request: ScoringRequest, progress: @escaping @Sendable () -> Void,
    laneCount: Int, chunkTokensMax: Int
  ) {
    self.model = model
    self.query = request.query
    instruction = request.instruction
    self.documents = request.documents
    self.progress = progress
    deadline = .now.advanced(by: request.remaining)
    let queryTokens = Self.roughTokenCount(request.query)
    chunks = Self.chunks(
      tokenCounts: request.documents.map {
        min(queryTokens + Self.roughTokenCount($0), model.contextTokens)
      },
      laneCount: laneCount, chunkTokensMax: chunkTokensMax)
  }

  /// Cuts documents of so many tokens into chunks: none above the limit unless one document is, and
  /// at least one a lane where there are as many documents.
  static func chunks(tokenCounts: [Int], laneCount: Int, chunkTokensMax: Int) -> [[Int]] {
    let share = tokenCounts.reduce(0, +) / laneCount
    let tokensMax = min(max(share, 1), chunkTokensMax)
    var chunks: [[Int]] = []
    var room = 0
    let longestFirst = tokenCounts.indices.sorted {
      (tokenCounts[$1], $0) < (tokenCounts[$0], $1)
    }
    for index in longestFirst {
      if chunks.isEmpty || tokenCounts[index] > room {
        chunks.append([])
        room = tokensMax
      }
      chunks[chunks.count - 1].append(index)
      room -= tokenCounts[index]
    }
    return chunks
  }

  /// English has about four bytes a token. Only the chunks' sizes depend on it, never a score.
  private static func roughTokenCount(_ content: RerankContent) -> Int {
    1 + content.parts.reduce(0) { bytes, part in
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
