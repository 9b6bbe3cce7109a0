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

extension Sequence<DocumentBudget> {
  /// Of the documents that fit.
  public var tokens: Int { reduce(0) { $0 + ($1.fits ? $1.tokens ?? 0 : 0) } }
}
