import EmbeddedEngine
import Scoring

/// What a process is asked to do, by name: "128" is 32 pairs of 128 tokens, "mixed" 32 pairs of 16
/// to 256, "large" 256 pairs of 128, "small" 64 jobs at once of 1 to 3 pairs of 16 to 63,
/// "tokenize" 256 pairs of about 128 tokens of English.
///
/// The words of the scored texts are tokens of the benchmark's own vocabulary; with another model
/// they are pieces of words, and the lengths are not what the names say.
struct Workload {
  static let model = "bench"
  static let names = ["128", "mixed", "large", "small", "tokenize"]
  private static let queryTokens = 8
  /// [CLS] and two [SEP].
  private static let controlTokens = 3
  private static let english = Array(
    """
    the city of paris is on a river and ice forms in the north where people of the old town keep \
    boats, nets and lanterns; 1,200 of them were counted in 1934, and others (not all) in later years
    """.split(separator: " "))

  let pairs: Int
  /// Of each document of each job.
  private let jobs: [[Int]]
  private let isTokenizing: Bool

  init?(named name: String) {
    switch name {
    case "128": jobs = [Self.documents(lengths: Array(repeating: 128, count: 32))]
    case "large": jobs = [Self.documents(lengths: Array(repeating: 128, count: 256))]
    case "mixed": jobs = [Self.documents(lengths: (0..<32).map { 16 + $0 * 240 / 31 })]
    case "small":
      jobs = (0..<64).map { job in
        Self.documents(lengths: (0..<1 + job % 3).map { 16 + (job * 13 + $0 * 29) % 48 })
      }
    case "tokenize": jobs = [Array(repeating: 96, count: 256)]
    default: return nil
    }
    pairs = jobs.reduce(0) { $0 + $1.count }
    isTokenizing = name == "tokenize"
  }

  static let first = request(documentTokens: [8], number: 0)

  /// The tokens that were scored, or counted.
  func run(_ engine: EmbeddedEngine) async throws -> Int {
    guard isTokenizing else {
      return try await withThrowingTaskGroup(of: Int.self) { group in
        for (number, documentTokens) in jobs.enumerated() {
          group.addTask {
            try await engine.score(
              Self.request(documentTokens: documentTokens, number: number), progress: {}
            ).usage?.totalTokens ?? 0
          }
        }
        return try await group.reduce(0, +)
      }
    }
    let counter = engine.tokenCounter(forModel: Self.model)
    return jobs[0].enumerated().reduce(0) { sum, document in
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

  private static func request(documentTokens: [Int], number: Int) -> ScoringRequest {
    func text(_ count: Int, from first: Int) -> String {
      (0..<count).map { "w\((first + $0 * 7) % 20_000)" }.joined(separator: " ")
    }
    return ScoringRequest(
      model: model, query: RerankContent(text: text(queryTokens, from: 5 * number)),
      documents: documentTokens.enumerated().map {
        RerankContent(text: text($0.element, from: 11 * $0.offset + 3 * number))
      })
  }
}
