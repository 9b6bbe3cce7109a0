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

  /// With shortened documents where they were asked for, and refused ones still in it.
  public internal(set) var request: ScoringRequest
  /// Positions of documents whose text was shortened, ascending.
  public internal(set) var truncatedDocuments: [Int] = []
  /// Ascending by position.
  public private(set) var refusedDocuments: [RefusedDocument] = []
  private let counter: any TokenCounter
  /// The query's tokens and the prompt's.
  private let pairTokensBeyondDocument: Int
  private var accepted: [AcceptedDocument] = []

  private struct AcceptedDocument {
    var index: Int
    var imageTokens: Int
    /// nil while not counted.
    var textTokens: Int?
  }

  init(request: ScoringRequest, counter: any TokenCounter, pairTokensBeyondDocument: Int) {
    self.request = request
    self.counter = counter
    self.pairTokensBeyondDocument = pairTokensBeyondDocument
  }

  /// Documents are accepted and refused in their order.
  mutating func accept(_ index: Int, imageTokens: Int, textTokens: Int?) {
    accepted.append(
      AcceptedDocument(index: index, imageTokens: imageTokens, textTokens: textTokens))
  }

  mutating func refuse(_ index: Int, _ refusal: DocumentRefusal) {
    refusedDocuments.append(
      RefusedDocument(
        index: index, code: refusal.error.code, message: refusal.error.message,
        tokens: refusal.tokens, tokensMax: refusal.tokensMax))
  }

  /// Positions of the documents that can be scored, ascending.
  public var acceptedDocuments: [Int] { accepted.map(\.index) }

  /// The request with the documents of ``acceptedDocuments`` alone.
  public var acceptedRequest: ScoringRequest {
    guard !refusedDocuments.isEmpty else { return request }
    var accepted = request
    accepted.documents = acceptedDocuments.map { request.documents[$0] }
    return accepted
  }

  /// Why the request as a whole is refused, when each of its documents has to be scored; nil when all
  /// can be. It names the first ``namedDocumentsMax`` documents and says how many more there are.
  public var rejection: EngineError? {
    guard !refusedDocuments.isEmpty else { return nil }
    var sentences = refusedDocuments.prefix(Self.namedDocumentsMax).map(\.message)
    let more = refusedDocuments.count - sentences.count
    if more > 0 { sentences.append("and \(more) more") }
    return .invalid(
      "\(refusedDocuments.count) of \(request.documents.count) documents cannot be scored: "
        + sentences.joined(separator: "; "))
  }

  /// What scoring the accepted documents takes: the sum over their pairs, as rerank servers report
  /// it, since the model reads the query again with each document.
  public func usage() -> TokenUsage {
    let tokens = accepted.reduce(0) { sum, document in
      let text = document.textTokens ?? counter.count(request.documents[document.index].text)
      return sum + pairTokensBeyondDocument + document.imageTokens + text
    }
    return TokenUsage(
      promptTokens: tokens, totalTokens: tokens, estimated: counter.isEstimate)
  }
}
