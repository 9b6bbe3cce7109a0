import Scoring
import Synchronization

/// One call to the engine: what is to be scored, and in which order. It does not change; how far
/// the lanes have come with it is `LanePool`'s to know.
struct ScoringJob: Sendable {
  struct Output: Sendable, Equatable {
    /// One a document, in the request's order.
    var logits: [Float]
    /// Tokens of all pairs, of those too that are scored once for several.
    var tokenCount: Int
  }

  struct Document: Sendable {
    let text: String
    /// Where it stands in the request: a text that is there several times is scored once.
    var places: [Int]
  }

  let model: EmbeddedModel
  let query: RerankContent
  let instruction: String?
  let documents: [Document]
  /// Documents of the request.
  let placeCount: Int
  /// Numbers of ``documents``, those first that take longest, so that no lane is left with one when
  /// the others are done.
  let order: [Int]
  /// Of the pairs in that order. Only the batches' sizes depend on them, never a score.
  let roughTokenCounts: [Int]
  /// Whether what the pairs begin with is computed by itself.
  let sharesPrefix: Bool
  let commonBeginning = CommonBeginning()
  let deadline: ContinuousClock.Instant
  let progress: @Sendable () -> Void

  init(
    model: EmbeddedModel, request: ScoringRequest, progress: @escaping @Sendable () -> Void
  ) {
    self.model = model
    self.query = request.query
    instruction = request.instruction
    placeCount = request.documents.count
    documents = Self.distinct(request.documents.map(\.text))
    self.progress = progress
    deadline = .now.advanced(by: request.remaining)
    // What is computed once for all pairs is not in a batch with each of them.
    sharesPrefix = model.network.sharedPart != .none && documents.count > 1
    let shared = sharesPrefix ? 0 : model.reservedTokens + Self.roughTokenCount(request.query.text)
    let tokenCounts = documents.map {
      max(1, min(shared + Self.roughTokenCount($0.text), model.contextTokens))
    }
    order = tokenCounts.indices.sorted { (tokenCounts[$1], $0) < (tokenCounts[$0], $1) }
    roughTokenCounts = order.map { tokenCounts[$0] }
  }

  /// The texts in the order in which they come first. Two are the same if their bytes are: Swift
  /// takes others for equal, which a tokenizer need not.
  private static func distinct(_ texts: [String]) -> [Document] {
    var documents: [Document] = []
    var numbers: [TextBytes: Int] = [:]
    for (place, text) in texts.enumerated() {
      let number = numbers[TextBytes(text: text), default: documents.count]
      if number == documents.count {
        numbers[TextBytes(text: text)] = number
        documents.append(Document(text: text, places: []))
      }
      documents[number].places.append(place)
    }
    return documents
  }

  /// English has about four bytes a token.
  private static func roughTokenCount(_ text: String) -> Int { text.utf8.count / 4 }
}

/// A text, equal to those of the same UTF-8 bytes alone.
private struct TextBytes: Hashable {
  let text: String

  static func == (one: TextBytes, other: TextBytes) -> Bool {
    one.text.utf8.elementsEqual(other.text.utf8)
  }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
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
