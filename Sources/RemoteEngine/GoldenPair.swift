public import Scoring
import Synchronization

/// A pair of documents whose order is beyond doubt. A model that is served without its prompt
/// template gives noise, and ranks them wrongly half of the time.
enum GoldenPair {
  static let query = "What is the capital of France?"
  static let relevant = "Paris is the capital of France and its largest city."
  static let irrelevant = "Bread dough rests for an hour before it is shaped and baked."

  static let documents = [RerankContent(text: irrelevant), RerankContent(text: relevant)]

  static func score(
    by backend: RemoteBackend, counter: any TokenCounter, for job: RemoteBackend.Job
  ) async throws -> GoldenPairScores {
    let body = try backend.encode(
      query: RerankContent(text: query), documents: documents[...], instruction: nil, for: job)
    let tokens = documents.reduce(0) {
      $0 + counter.count(query) + counter.count($1.text) + job.model.reservedTokens
    }
    let ranked = try await backend.rank(
      body, documentCount: documents.count, tokens: tokens, for: job)
    return GoldenPairScores(relevant: ranked.scores[1], irrelevant: ranked.scores[0])
  }
}

/// How a backend scored an answer to a question, and a text about something else.
public struct GoldenPairScores: Sendable, Equatable {
  public var relevant: DocumentScore
  public var irrelevant: DocumentScore

  /// Else the scores are noise.
  public var isRankedRightly: Bool { relevant.rankingKey > irrelevant.rankingKey }
}

/// Lets no job of a model by before the golden pair was ranked as it should be, once in a process.
final class GoldenPairGate: Sendable {
  private enum State {
    /// To be tried by the next job.
    case untried
    /// Ranked wrongly; untried again after this instant.
    case resting(until: ContinuousClock.Instant)
    /// For good.
    case passed
  }

  private let state = Mutex(State.untried)
  private let turn = RequestSlots(count: 1)
  private let pause: Duration

  init(pause: Duration) {
    self.pause = pause
  }

  /// - Parameter isRankedRightly: asks the backend. One job asks while others wait.
  /// - Throws: ``EngineError`` FAILED_PRECONDITION, which spends no attempt and rests the model;
  ///   what `isRankedRightly` throws.
  func pass(
    _ backend: String, _ model: String, isRankedRightly: () async throws -> Bool
  ) async throws {
    if case .passed = state.withLock({ $0 }) { return }
    try await turn.withSlot {
      switch state.withLock({ $0 }) {
      case .passed: return
      case .resting(let end) where end > .now:
        throw wrongOrder(backend, model, retryAfter: end - .now)
      case .untried, .resting: break
      }
      guard try await isRankedRightly() else {
        state.withLock { $0 = .resting(until: .now + pause) }
        throw wrongOrder(backend, model, retryAfter: pause)
      }
      state.withLock { $0 = .passed }
    }
  }

  private func wrongOrder(
    _ backend: String, _ model: String, retryAfter: Duration
  ) -> EngineError {
    EngineError(
      code: .failedPrecondition,
      message: """
        The backend "\(backend)" ranks "\(GoldenPair.irrelevant)" above "\(GoldenPair.relevant)" for \
        the question "\(GoldenPair.query)" with the model "\(model)": its scores are noise. The server \
        is likely to miss the model's prompt template. It is asked again later; golden_pair: false \
        takes the scores as they are.
        """,
      isRetryable: true, retryAfter: retryAfter, backendFault: .unavailable, spendsAttempt: false)
  }
}
