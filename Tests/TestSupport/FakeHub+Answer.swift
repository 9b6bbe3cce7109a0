extension FakeHub {
  /// How a rerank request is answered.
  public enum Answer: Sendable {
    /// 200 with ``FakeHub/score(query:document:)`` for each document, best first.
    case scores
    case response(status: Int, headers: [String: String], body: String)
    /// Nothing, until the client goes.
    case hang
    /// ``scores``, after a wait.
    case delayed(Duration)
    /// The head and then single bytes of the right answer, with this pause between them.
    case drip(pause: Duration)
    /// The head and half of the right answer, then a TCP reset.
    case resetInBody
    /// A TCP reset in place of an answer.
    case resetBeforeHead
    /// 200 with this many bytes of well-formed JSON.
    case oversized(bytes: Int)
    /// 200 with the results that the closure makes of the right ones.
    case altered(@Sendable ([Result]) -> [Result])
    /// What the closure chooses for the request.
    case chosen(@Sendable (Request) -> Answer)

    public static let unauthorized = Answer.response(
      status: 401, headers: [:], body: #"{"error":"Unauthorized"}"#)
    public static let notFound = Answer.failure(404, message: "The model does not exist.")
    public static let internalError = Answer.failure(500, message: "Internal server error")
    public static let unavailable = Answer.failure(503, message: "Overloaded")
    public static let brokenJSON = Answer.response(
      status: 200, headers: [:], body: #"{"model":"fake-reranker","results":[{"index":0,"#)

    /// - Parameter retryAfter: seconds, or an HTTP date.
    public static func tooManyRequests(retryAfter: String) -> Answer {
      .response(
        status: 429, headers: ["retry-after": retryAfter],
        body: #"{"error":{"message":"Rate limit reached","type":"rate_limit"}}"#)
    }

    public static func failure(_ status: Int, message: String) -> Answer {
      .response(
        status: status, headers: [:],
        body: #"{"error":{"message":"\#(message)","type":"error","param":null,"code":\#(status)}}"#)
    }
  }

  public struct Result: Sendable, Equatable {
    public var index: Int
    public var text: String
    public var score: Double

    public init(index: Int, text: String, score: Double) {
      self.index = index
      self.text = text
      self.score = score
    }
  }

  /// Between 0 and 1: mostly the share of the query's words that the document has; a hash of the
  /// document keeps documents with equal shares apart.
  public static func score(query: String, document: String) -> Double {
    func words(_ text: String) -> Set<Substring> {
      Set(text.lowercased().split { !$0.isLetter && !$0.isNumber })
    }
    let wanted = words(query)
    let shared = wanted.intersection(words(document)).count
    let share = wanted.isEmpty ? 0 : Double(shared) / Double(wanted.count)
    let hash = document.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    return 0.9 * share + 0.1 * Double(hash % 10_000) / 10_000
  }
}
