/// What one document of a request takes, in a pair with the query alone.
public struct DocumentBudget: Sendable, Equatable {
  /// Position in the request.
  public var index: Int
  /// Of the pair: query, document, images and the model's prompt; of a document in windows, of all
  /// of them. nil where nothing can be counted.
  public var tokens: Int?
  /// Whether it can be scored as the request asks for.
  public var fits: Bool
  /// Whether its text is shortened for that.
  public var isTruncated = false
  /// In how many windows it is scored; 1 is the whole.
  public var windows = 1
  /// Why it does not fit.
  public var message: String?
}

extension TokenBudget {
  /// Counts each document of a request, for those who want to know before they submit it.
  ///
  /// - Returns: one for each document, in their order.
  /// - Throws: ``EngineError`` as ``check(_:)`` does.
  public func documents(of request: ScoringRequest) throws(EngineError) -> [DocumentBudget] {
    let report = try check(request)
    var documents: [DocumentBudget] = []
    for index in report.acceptedDocuments {
      var single = request
      single.documents = [request.documents[index]]
      let counted = try check(single)
      documents.append(
        DocumentBudget(
          index: index, tokens: counted.usage().promptTokens, fits: true,
          isTruncated: report.truncatedDocuments.contains(index),
          windows: counted.passages.count))
    }
    documents += report.refusedDocuments.map {
      DocumentBudget(index: $0.index, tokens: $0.tokens, fits: false, message: $0.message)
    }
    return documents.sorted { $0.index < $1.index }
  }
}
