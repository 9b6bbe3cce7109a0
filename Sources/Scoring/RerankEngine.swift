/// What scores (query, document) pairs: the one seam between workers and engines.
///
/// An engine is called from Swift's cooperative pool and must not block it: work that does runs on
/// threads of the engine's own. Calls may overlap; the engine bounds what it runs at a time.
public protocol RerankEngine: Sendable {
  /// "embedded", or the backend's name: results say which engine scored them.
  var name: String { get }

  /// The models that this engine serves now.
  ///
  /// - Throws: ``EngineError`` when the engine cannot tell, for example a backend that is away.
  func models() async throws -> [EngineModel]

  /// How tokens are counted for a model that ``models()`` listed.
  func tokenCounter(forModel model: String) -> any TokenCounter

  /// Scores every document of the request.
  ///
  /// - Parameters:
  ///   - request: at least one document; every pair fits the model's context.
  ///   - progress: called by whatever does the work each time some of it is done, from any thread.
  ///     The job's lease lives by it, so an engine that hangs must not call it.
  /// - Returns: one score a document, in the request's order, but for those of
  ///   ``ScoringResult/failures``.
  /// - Throws: ``EngineError``; `CancellationError` when the task was cancelled.
  func score(_ request: ScoringRequest, progress: @escaping @Sendable () -> Void) async throws
    -> ScoringResult

  /// The engine's name, each time that credentials which its backend had refused have changed: what
  /// rests for them can be tried again. Ends with the engine. Each call is a listener of its own.
  func renewedCredentials() -> AsyncStream<String>
}

extension RerankEngine {
  /// An engine without credentials has none that change.
  public func renewedCredentials() -> AsyncStream<String> {
    AsyncStream { $0.finish() }
  }
}

/// What a model takes.
public struct EngineModel: Sendable, Equatable {
  public var name: String
  /// Tokens of one (query, document) pair, prompt included.
  public var contextTokens: Int
  /// Tokens of ``contextTokens`` that the prompt's own text takes.
  public var reservedTokens: Int
  public var acceptsImages: Bool

  public init(name: String, contextTokens: Int, reservedTokens: Int, acceptsImages: Bool) {
    self.name = name
    self.contextTokens = contextTokens
    self.reservedTokens = reservedTokens
    self.acceptsImages = acceptsImages
  }
}

/// A query or a document: its parts in order.
public struct RerankContent: Sendable, Equatable {
  public var parts: [Part]

  public enum Part: Sendable, Equatable {
    case text(String)
    /// An encoded image file.
    case imageData([UInt8])
    /// An http(s) or data: URL, passed on to remote engines.
    case imageURL(String)
  }

  public init(parts: [Part]) {
    self.parts = parts
  }

  public init(text: String) {
    self.parts = [.text(text)]
  }

  /// The text parts joined by newlines.
  public var text: String {
    if parts.count == 1, case .text(let text) = parts[0] { return text }
    return parts.compactMap { if case .text(let text) = $0 { text } else { nil } }
      .joined(separator: "\n")
  }

  public var hasImages: Bool {
    parts.contains { if case .text = $0 { false } else { true } }
  }
}

public struct ScoringRequest: Sendable {
  public var model: String
  public var query: RerankContent
  public var documents: [RerankContent]
  /// nil takes the model's default.
  public var instruction: String?
  /// What remains until the job's deadline.
  public var remaining: Duration
  /// For logs and traces.
  public var jobID: String
  /// W3C trace context of the submitter, passed on to remote backends.
  public var traceparent: String?
  /// Whether a document that cannot be scored is listed in ``ScoringResult/failures`` while the
  /// others are scored; else it fails the request.
  public var isolatesFailures = false
  /// What stands between the engine and its backend.
  public var admission: any BackendAdmission = UnlimitedAdmission()

  public init(
    model: String, query: RerankContent, documents: [RerankContent], instruction: String? = nil,
    remaining: Duration = .seconds(60), jobID: String = "", traceparent: String? = nil
  ) {
    self.model = model
    self.query = query
    self.documents = documents
    self.instruction = instruction
    self.remaining = remaining
    self.jobID = jobID
    self.traceparent = traceparent
  }
}

public struct DocumentScore: Sendable, Equatable {
  /// 0 to 1 for ``ScoreKind/sigmoid``.
  public var relevanceScore: Float
  /// Orders the results, higher first: the fp32 logit where the engine has it, since a rounded or
  /// saturated relevance score ties; else the relevance score.
  public var rankingKey: Float

  public init(relevanceScore: Float, rankingKey: Float) {
    self.relevanceScore = relevanceScore
    self.rankingKey = rankingKey
  }
}

public enum ScoreKind: String, Sendable, CaseIterable {
  case sigmoid
  case raw
}

public struct TokenUsage: Sendable, Equatable {
  public var promptTokens: Int
  public var totalTokens: Int
  /// Counted by an estimate from above, not by the model's tokenizer.
  public var estimated: Bool

  public init(promptTokens: Int, totalTokens: Int, estimated: Bool) {
    self.promptTokens = promptTokens
    self.totalTokens = totalTokens
    self.estimated = estimated
  }
}

public struct ScoringResult: Sendable {
  /// As many as the request has documents without those of ``failures``, in their order.
  public var scores: [DocumentScore]
  /// Documents that could not be scored, ascending by position: empty unless the request isolates
  /// failures.
  public var failures: [DocumentFailure] = []
  /// nil when the engine was not told; the worker then fills in its own count.
  public var usage: TokenUsage?
  /// As the engine names it.
  public var model: String
  public var scoreKind: ScoreKind
  /// "fp32", "bf16", "w8a16" or "int8"; nil where the engine does not know.
  public var precision: String?

  public init(
    scores: [DocumentScore], usage: TokenUsage?, model: String, scoreKind: ScoreKind,
    precision: String?
  ) {
    self.scores = scores
    self.usage = usage
    self.model = model
    self.scoreKind = scoreKind
    self.precision = precision
  }
}

/// A document that could not be scored, and why.
public struct DocumentFailure: Sendable {
  /// Position in the request.
  public var index: Int
  public var error: EngineError

  public init(index: Int, error: EngineError) {
    self.index = index
    self.error = error
  }
}

/// How tokens of text are counted for one model.
public protocol TokenCounter: Sendable {
  /// True when the count is an estimate, which then never undershoots.
  var isEstimate: Bool { get }

  /// Tokens of the text by itself, special tokens not included.
  func count(_ text: String) -> Int

  /// A number that ``count(_:)`` does not exceed, found faster where that is possible.
  func countMax(_ text: String) -> Int

  /// The longest prefix of the text, cut at a character's boundary, of at most so many tokens.
  func truncate(_ text: String, toTokens tokensMax: Int) -> String
}

extension TokenCounter {
  public func countMax(_ text: String) -> Int { count(text) }
}
