/// What ``TokenBudget`` found: what can be scored, and what cannot.
public struct BudgetReport: Sendable {
  /// A document that is not to be scored.
  public struct RefusedDocument: Sendable, Equatable {
    /// Position in the request.
    public var index: Int
    public var code: EngineError.Code
    /// Names the document, and the counts where they are the reason.
    public var message: String
    /// Of the pair, prompt included, when it exceeds ``tokensMax``; nil for other reasons.
    public var tokens: Int?
    /// The model's context.
    public var tokensMax: Int?

    public init(
      index: Int, code: EngineError.Code, message: String, tokens: Int? = nil,
      tokensMax: Int? = nil
    ) {
      self.index = index
      self.code = code
      self.message = message
      self.tokens = tokens
      self.tokensMax = tokensMax
    }
  }

  /// How many refused documents ``rejection`` names.
  public static let namedDocumentsMax = 20

  /// What the engine scores as one document: a whole one, or a window of one.
  public struct Passage: Sendable, Equatable {
    /// The document's position in the request.
    public var document: Int
    /// Where a window's text lies in its document's (``RerankContent/text``), in bytes of UTF-8;
    /// nil for a whole document.
    public var window: Range<Int>?

    public init(document: Int, window: Range<Int>? = nil) {
      self.document = document
      self.window = window
    }
  }

  /// With shortened documents where they were asked for, and refused ones still in it.
  public private(set) var request: ScoringRequest
  /// Positions of documents whose text was shortened, ascending.
  public private(set) var truncatedDocuments: [Int] = []
  /// Ascending by position.
  public private(set) var refusedDocuments: [RefusedDocument] = []
  private let counter: any TokenCounter
  /// The query's tokens and the prompt's.
  private let pairTokensBeyondDocument: Int
  private var accepted: [AcceptedDocument] = []
  /// How many ``passages`` there are.
  private(set) var passageCount = 0

  private struct AcceptedDocument {
    var index: Int
    var imageTokens: Int
    /// nil while not counted.
    var textTokens: Int?
    /// nil where it is scored as a whole.
    var windows: [Range<Int>]?
  }

  init(request: ScoringRequest, counter: any TokenCounter, pairTokensBeyondDocument: Int) {
    self.request = request
    self.counter = counter
    self.pairTokensBeyondDocument = pairTokensBeyondDocument
  }

  /// Documents are accepted and refused in their order.
  mutating func accept(
    _ index: Int, imageTokens: Int, textTokens: Int?, windows: [Range<Int>]?
  ) {
    accepted.append(
      AcceptedDocument(
        index: index, imageTokens: imageTokens, textTokens: textTokens, windows: windows))
    passageCount += windows?.count ?? 1
  }

  /// Before the document is accepted or refused; once or more.
  mutating func truncate(_ index: Int, to document: RerankContent) {
    request.documents[index] = document
    if truncatedDocuments.last != index { truncatedDocuments.append(index) }
  }

  mutating func refuse(_ index: Int, _ refusal: DocumentRefusal) {
    if truncatedDocuments.last == index { truncatedDocuments.removeLast() }
    refusedDocuments.append(
      RefusedDocument(
        index: index, code: refusal.error.code, message: refusal.error.message,
        tokens: refusal.tokens, tokensMax: refusal.tokensMax))
  }

  /// Positions of the documents that can be scored, ascending.
  public var acceptedDocuments: [Int] { accepted.map(\.index) }

  /// What ``acceptedRequest`` has as its documents: those that can be scored, ascending, a long one
  /// as its windows where the request asked for that.
  public var passages: [Passage] {
    accepted.flatMap { document in
      document.windows?.map { Passage(document: document.index, window: $0) }
        ?? [Passage(document: document.index)]
    }
  }

  /// The request with ``passages`` as its documents.
  public var acceptedRequest: ScoringRequest {
    var request = request
    request.documents = accepted.flatMap(contents)
    return request
  }

  private func contents(_ document: AcceptedDocument) -> [RerankContent] {
    let whole = request.documents[document.index]
    guard let windows = document.windows else { return [whole] }
    let text = whole.text
    let images = whole.parts.filter { if case .text = $0 { false } else { true } }
    return windows.map { RerankContent(parts: images + [.text(text.bytes($0))]) }
  }

  /// Why the request as a whole is refused, when each of its documents has to be scored; nil when
  /// all can be. It names the first ``namedDocumentsMax`` documents and says how many more there
  /// are.
  public var rejection: EngineError? {
    guard !refusedDocuments.isEmpty else { return nil }
    var sentences = refusedDocuments.prefix(Self.namedDocumentsMax).map(\.message)
    let more = refusedDocuments.count - sentences.count
    if more > 0 { sentences.append("and \(more) more") }
    return .invalid(
      "\(refusedDocuments.count) of \(request.documents.count) documents cannot be scored: "
        + sentences.joined(separator: "; "))
  }

  /// Of ``usage()``: what the query and the prompt take, once a passage.
  public var promptTokens: Int { passageCount * pairTokensBeyondDocument }
  /// Of ``usage()``: what images take, those of a document once for each of its windows.
  public var imageTokens: Int {
    accepted.reduce(0) { $0 + $1.imageTokens * ($1.windows?.count ?? 1) }
  }

  /// What scoring ``passages`` takes: the sum over their pairs, as rerank servers report it, since
  /// the model reads the query again with each.
  public func usage() -> TokenUsage {
    let tokens = accepted.reduce(0) { $0 + self.tokens($1) }
    return TokenUsage(
      promptTokens: tokens, totalTokens: tokens, estimated: counter.isEstimate)
  }

  private func tokens(_ document: AcceptedDocument) -> Int {
    if let textTokens = document.textTokens {
      return pairTokensBeyondDocument + document.imageTokens + textTokens
    }
    return contents(document).reduce(0) {
      $0 + pairTokensBeyondDocument + document.imageTokens + counter.count($1.text)
    }
  }

  /// Each document of the request by itself, in their order, for those who want to know before they
  /// submit it.
  public func documents() -> [DocumentBudget] {
    let truncated = Set(truncatedDocuments)
    let fitting = accepted.map { document in
      DocumentBudget(
        index: document.index, tokens: tokens(document), fits: true,
        isTruncated: truncated.contains(document.index), windows: document.windows?.count ?? 1)
    }
    let refused = refusedDocuments.map {
      DocumentBudget(index: $0.index, tokens: $0.tokens, fits: false, message: $0.message)
    }
    return (fitting + refused).sorted { $0.index < $1.index }
  }
}
