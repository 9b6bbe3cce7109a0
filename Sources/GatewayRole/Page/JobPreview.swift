import RerankdProtocol

/// The beginning of what a job asks: enough to recognise it.
struct JobPreview: Encodable {
  static let documentsMax = 5
  static let charactersMax = 500

  /// Empty for an image alone.
  var query: String
  var documents: [String]
  var documentCount: Int
  /// Whether any text here ends early.
  var isShortened: Bool

  init(_ request: RerankRequest) {
    let texts = ([request.query] + request.documents.prefix(Self.documentsMax)).map(\.joinedText)
    let shown = texts.map { String($0.prefix(Self.charactersMax)) }
    query = shown[0]
    documents = Array(shown.dropFirst())
    documentCount = request.documents.count
    isShortened = zip(shown, texts).contains { $0.utf8.count < $1.utf8.count }
  }
}
