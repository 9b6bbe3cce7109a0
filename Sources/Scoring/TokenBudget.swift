/// Checks each (query, document) pair of a request against the model's context before anything is
/// sent to an engine, and counts what the pairs take.
///
/// A pair takes the query's tokens, the document's, those of both sides' images and the model's
/// reserve for the prompt's own text. The query is counted once for all documents. Exact counting is
/// put off where a document fits whatever its tokens are (``TokenCounter/countMax(_:)``): most
/// engines report what they used, and then nobody needs the count (``BudgetReport/usage()``).
public struct TokenBudget: Sendable {
  /// What happens to a pair that exceeds the context.
  public enum Policy: Sendable {
    case reject
    /// The document's text is shortened from its end.
    case truncate
  }

  private let model: EngineModel
  private let counter: any TokenCounter
  private let policy: Policy

  public init(model: EngineModel, counter: any TokenCounter, policy: Policy) {
    self.model = model
    self.counter = counter
    self.policy = policy
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
    let left = tokensMax - query.context
    var report = BudgetReport(
      request: request, counter: counter,
      pairTokensBeyondDocument: query.usage + model.reservedTokens)
    for index in request.documents.indices {
      do throws(DocumentRefusal) {
        let document = request.documents[index]
        let images = try imageTokens(of: document, name: "document \(index)")
        let text = document.text
        if images.context + counter.countMax(text) <= left {
          report.accept(index, imageTokens: images.usage, textTokens: nil)
          continue
        }
        let tokens = counter.count(text)
        if images.context + tokens <= left {
          report.accept(index, imageTokens: images.usage, textTokens: tokens)
        } else if policy == .truncate,
          let shortened = shorten(document, toTokens: left - images.context)
        {
          report.request.documents[index] = shortened
          report.truncatedDocuments.append(index)
          report.accept(index, imageTokens: images.usage, textTokens: nil)
        } else {
          let pair = query.context + images.context + tokens + model.reservedTokens
          throw overBudget(index, pair)
        }
      } catch {
        report.refuse(index, error)
      }
    }
    return report
  }

  private struct Tokens {
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

  /// Checks a side's parts and counts its images.
  private func imageTokens(
    of content: RerankContent, name: String
  ) throws(DocumentRefusal) -> Tokens {
    guard content.hasImages else {
      guard content.text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
        throw DocumentRefusal(error: .invalid("\(name) is empty"))
      }
      return Tokens()
    }
    guard model.acceptsImages else {
      throw DocumentRefusal(
        error: .invalid("\(name) has an image, and \(model.name) takes text only"))
    }
    var tokens = Tokens()
    for part in content.parts {
      guard let image = try imageTokens(of: part, name: name) else { continue }
      tokens.usage += image.usage
      tokens.context += image.context
    }
    return tokens
  }

  /// nil for text.
  private func imageTokens(
    of part: RerankContent.Part, name: String
  ) throws(DocumentRefusal) -> Tokens? {
    let header: ImageHeader
    do throws(EngineError) {
      switch part {
      case .text: return nil
      case .imageData(let data): header = try ImageHeader(parsing: data)
      case .imageURL(let url):
        let scheme = url.prefix { $0 != ":" }.lowercased()
        if ["http", "https"].contains(scheme) {
          return Tokens(usage: ImageTokens.tokensMax, context: ImageTokens.tokensMax)
        }
        guard scheme == "data" else {
          throw .malformedImage("its URL is neither http(s) nor data:")
        }
        header = try ImageHeader(dataURL: url)
      }
    } catch {
      throw DocumentRefusal(error: .invalid("\(name): \(error.message)"))
    }
    let (width, height) = (header.displayWidth, header.displayHeight)
    guard max(width, height) <= ImageTokens.aspectRatioMax * min(width, height) else {
      throw DocumentRefusal(
        error: .invalid(
          "\(name): an image of \(width)×\(height) pixels; the model takes none whose one side is "
            + "more than \(ImageTokens.aspectRatioMax) times the other"))
    }
    return Tokens(
      usage: ImageTokens.count(width: width, height: height),
      context: ImageTokens.contextCount(width: width, height: height))
  }

  /// The document with so much less text at its end that the rest fits; nil where no text would be
  /// left.
  private func shorten(_ document: RerankContent, toTokens tokensMax: Int) -> RerankContent? {
    var left = tokensMax
    var hasText = false
    var parts: [RerankContent.Part] = []
    for part in document.parts {
      guard case .text(let text) = part else {
        parts.append(part)
        continue
      }
      // The parts are joined by newlines, each of which may be a token.
      let separator = hasText ? 1 : 0
      let kept = left > separator ? counter.truncate(text, toTokens: left - separator) : ""
      if !kept.isEmpty {
        parts.append(.text(kept))
        left -= counter.count(kept) + separator
        hasText = true
      }
      if kept.utf8.count < text.utf8.count { left = 0 }
    }
    let shortened = RerankContent(parts: parts)
    guard hasText, counter.count(shortened.text) <= tokensMax else { return nil }
    return shortened
  }

  private func overBudget(_ index: Int, _ tokens: Int) -> DocumentRefusal {
    DocumentRefusal(
      error: .invalid(
        "document \(index) makes a pair of \(described(tokens)); \(model.name) takes "
          + "\(model.contextTokens)"),
      tokens: tokens, tokensMax: model.contextTokens)
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
