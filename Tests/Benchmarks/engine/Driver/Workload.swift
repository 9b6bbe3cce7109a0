import EmbeddedEngine
import Scoring

/// What a process is asked to do, by name: "128" is 32 pairs of 128 tokens, "mixed" 32 pairs of 16 to
/// 256, "large" 256 pairs of 128, "tokenize" 256 pairs of about 128 tokens of English.
///
/// The words of the scored texts are tokens of the benchmark's own vocabulary; with another model they
/// are pieces of words, and the lengths are not what the names say.
struct Workload {
  static let model = "bench"
  private static let queryTokens = 8
  /// [CLS] and two [SEP].
  private static let controlTokens = 3
  private static let english = Array(
    """
    the city of paris is on a river and ice forms in the north where people of the old town keep \
    boats, nets and lanterns; 1,200 of them were counted in 1934, and others (not all) in later years
    """.split(separator: " "))

  let pairs: Int
  private let documentTokens: [Int]
  private let isTokenizing: Bool

  init?(named name: String) {
    switch name {
    case "128": documentTokens = Self.documents(lengths: Array(repeating: 128, count: 32))
    case "large": documentTokens = Self.documents(lengths: Array(repeating: 128, count: 256))
    case "mixed": documentTokens = Self.documents(lengths: (0..<32).map { 16 + $0 * 240 / 31 })
    case "tokenize": documentTokens = Array(repeating: 96, count: 256)
    default: return nil
    }
    pairs = documentTokens.count
    isTokenizing = name == "tokenize"
  }

  static let first = request(documentTokens: [8])

  /// The tokens that were scored, or counted.
  func run(_ engine: EmbeddedEngine) async throws -> Int {
    guard isTokenizing else {
      let result = try await engine.score(
        Self.request(documentTokens: documentTokens), progress: {})
      return result.usage?.totalTokens ?? 0
    }
    let counter = engine.tokenCounter(forModel: Self.model)
    return documentTokens.enumerated().reduce(0) { sum, document in
      let words = (0..<document.element).map {
        Self.english[($0 + document.offset) % Self.english.count]
      }
      return sum + counter.count("what is the capital city of france ?")
        + counter.count(words.joined(separator: " "))
    }
  }

  private static func documents(lengths: [Int]) -> [Int] {
    lengths.map { $0 - queryTokens - controlTokens }
  }

  private static func request(documentTokens: [Int]) -> ScoringRequest {
    func text(_ count: Int, from first: Int) -> String {
      (0..<count).map { "w\((first + $0 * 7) % 20_000)" }.joined(separator: " ")
    }
    return ScoringRequest(
      model: model, query: RerankContent(text: text(queryTokens, from: 0)),
      documents: documentTokens.enumerated().map {
        RerankContent(text: text($0.element, from: 11 * $0.offset))
      })
  }
}
