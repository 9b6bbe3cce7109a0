/// Checks each (query, document) pair of a request against the model's context before anything is
/// sent to an engine, and counts what the pairs take.
///
/// A pair takes the query's tokens, the document's, those of both sides' images and the model's
/// reserve for the prompt's own text. The query is counted once for all documents. Exact counting
/// is put off where a document fits whatever its tokens are (``TokenCounter/countMax(_:)``): most
/// engines report what they used, and then nobody needs the count (``BudgetReport/usage()``).
public struct TokenBudget: Sendable {
  /// What happens to a pair that exceeds the context.
  public enum Policy: Sendable {
    case reject
    /// The document's text is shortened from its end.
    case truncate
    /// The document's text is scored in overlapping windows, its images with each of them.
    case windows
  }

  let model: EngineModel
  let counter: any TokenCounter
  private let policy: Policy
  private let documentTokensMax: Int?
  private let windowLimits: WindowLimits

  /// - Parameter documentTokensMax: each document's text is shortened to so many tokens before it
  ///   is held against the context; nil: it is not.
  public init(
    model: EngineModel, counter: any TokenCounter, policy: Policy, documentTokensMax: Int? = nil,
    windowLimits: WindowLimits = WindowLimits()
  ) {
    self.model = model
    self.counter = counter
    self.policy = policy
    self.documentTokensMax = documentTokensMax
    self.windowLimits = windowLimits
  }

  /// What the query and a document may take together.
  private var tokensMax: Int { model.contextTokens - model.reservedTokens }

  /// Checks a request.
  ///
  /// - Returns: what can be scored, and which documents cannot, with the reasons.
  /// - Throws: ``EngineError`` with ``EngineError/Code/invalidArgument`` for what is wrong with the
  ///   request as a whole: no query, a query that leaves no room, no documents.
  public func check(_ request: ScoringRequest) throws(EngineError) -> BudgetReport {
    guard !request.documents.isEmpty else { throw .invalid("the request has no documents") }
    let query = try queryTokens(request)
    var report = BudgetReport(
      request: request, counter: counter,
      pairTokensBeyondDocument: query.usage + model.reservedTokens)
    for index in request.documents.indices {
      do throws(DocumentRefusal) {
        try check(index, query: query, in: &report)
      } catch {
        report.refuse(index, error)
      }
    }
    return report
  }

  private func check(
    _ index: Int, query: Tokens, in report: inout BudgetReport
  ) throws(DocumentRefusal) {
    let images = try imageTokens(of: report.request.documents[index], name: "document \(index)")
    if let documentTokensMax {
      try shortenDocument(index, toTokens: documentTokensMax, in: &report)
    }
    let document = report.request.documents[index]
    let text = document.text
    let left = tokensMax - query.context - images.context
    if counter.countMax(text) <= left {
      return try accept(index, imageTokens: images.usage, in: &report)
    }
    let tokens = counter.count(text)
    if tokens <= left {
      return try accept(index, imageTokens: images.usage, textTokens: tokens, in: &report)
    }
    switch policy {
    case .truncate:
      guard let shortened = shorten(document, toTokens: left) else { break }
      report.truncate(index, to: shortened)
      return try accept(index, imageTokens: images.usage, in: &report)
    case .windows where left > 0:
      let windows = try windows(of: text, index, tokens: left)
      return try accept(index, imageTokens: images.usage, windows: windows, in: &report)
    case .reject, .windows: break
    }
    let pair = tokensMax - left + tokens + model.reservedTokens
    throw DocumentRefusal(
      error: .invalid(
        "document \(index) makes a pair of \(described(pair)); \(model.name) takes "
          + "\(model.contextTokens)"),
      tokens: pair, tokensMax: model.contextTokens)
  }

  private func accept(
    _ index: Int, imageTokens: Int, textTokens: Int? = nil, windows: [Range<Int>]? = nil,
    in report: inout BudgetReport
  ) throws(DocumentRefusal) {
    let passages = report.passageCount + (windows?.count ?? 1)
    guard passages <= windowLimits.passagesMax else {
      throw DocumentRefusal(
        error: .invalid(
          "document \(index) would bring the request to \(passages) passages, windows of long "
            + "documents included; \(windowLimits.passagesMax) are taken: send fewer documents"))
    }
    report.accept(index, imageTokens: imageTokens, textTokens: textTokens, windows: windows)
  }

  private func windows(
    of text: String, _ index: Int, tokens: Int
  ) throws(DocumentRefusal) -> [Range<Int>] {
    let windows = TextWindows(counter: counter, tokensMax: tokens, limits: windowLimits)
    do throws(TextWindows.Problem) {
      return try windows.ranges(of: text)
    } catch {
      let problem =
        switch error {
        case .characterTooLong(let start):
          "the character at byte \(start) alone has more than the \(tokens) tokens of a window"
        case .tooMany:
          "it would make more than \(windowLimits.windowsMax) windows of \(described(tokens)); "
            + "shorten it, or set max_tokens_per_doc"
        }
      throw DocumentRefusal(
        error: .invalid("document \(index) cannot be scored in windows: \(problem)"))
    }
  }

  private func shortenDocument(
    _ index: Int, toTokens tokensMax: Int, in report: inout BudgetReport
  ) throws(DocumentRefusal) {
    let document = report.request.documents[index]
    let text = document.text
    guard counter.countMax(text) > tokensMax, counter.count(text) > tokensMax else { return }
    guard let shortened = shorten(document, toTokens: tokensMax) else {
      throw DocumentRefusal(
        error: .invalid(
          "document \(index) has no text left when it is shortened to the \(tokensMax) tokens of "
            + "max_tokens_per_doc"))
    }
    report.truncate(index, to: shortened)
  }

  struct Tokens {
    /// What is reported.
    var usage = 0
    /// What is held against the context.
    var context = 0
  }

  private func queryTokens(_ request: ScoringRequest) throws(EngineError) -> Tokens {
    let query = request.query
    var tokens: Tokens
    do throws(DocumentRefusal) {
      tokens = try imageTokens(of: query, name: "the query")
    } catch {
      throw error.error
    }
    let text = counter.count(query.text)
    tokens.usage += text
    tokens.context += text
    // The model's reserve holds an instruction of its own, which may be shorter than the request's.
    if let instruction = request.instruction { tokens.context += counter.count(instruction) }
    guard tokens.context < tokensMax else {
      throw .invalid(
        "the query leaves no room for a document: it has \(described(tokens.context)) of the "
          + "\(tokensMax) that \(model.name) takes beside \(model.reservedTokens) for its prompt; "
          + "shorten the query")
    }
    return tokens
  }

  /// The document with so much less text at its end that the rest fits; nil where nothing to read
  /// would be left.
  private func shorten(_ document: RerankContent, toTokens tokensMax: Int) -> RerankContent? {
    var left = tokensMax
    var isFirstText = true
    var isCut = false
    var parts: [RerankContent.Part] = []
    for part in document.parts {
      guard case .text(let text) = part else {
        parts.append(part)
        continue
      }
      guard !isCut else { continue }
      // The parts are joined by newlines, each of which may be a token.
      if !isFirstText { left -= 1 }
      isFirstText = false
      let kept = counter.truncate(text, toTokens: max(0, left))
      isCut = kept.utf8.count < text.utf8.count
      if !kept.isEmpty || !isCut {
        parts.append(.text(kept))
        left -= counter.count(kept)
      }
    }
    let shortened = RerankContent(parts: parts)
    guard !shortened.text.isBlank, counter.count(shortened.text) <= tokensMax else { return nil }
    return shortened
  }

  private func described(_ tokens: Int) -> String {
    counter.isEstimate ? "\(tokens) tokens (estimated from above)" : "\(tokens) tokens"
  }
}

extension EngineError {
  static func invalid(_ message: String) -> EngineError {
    EngineError(code: .invalidArgument, message: message, isRetryable: false)
  }
}

/// Why a document of a request is not scored.
struct DocumentRefusal: Error {
  var error: EngineError
  var tokens: Int?
  var tokensMax: Int?
}
