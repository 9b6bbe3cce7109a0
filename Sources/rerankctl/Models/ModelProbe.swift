import EmbeddedEngine
import Glibc
import Scoring

/// Scores pairs with one model on one thread, for checks.
struct ModelProbe {
  private let engine: EmbeddedEngine
  private let model: EmbeddedModel

  /// Documents of one request.
  private static let documentsAtOnce = 8
  private static let pairTokens = 128
  /// Of the document alone, where the template and the query leave less of ``pairTokens``.
  private static let documentTokensMin = 16

  /// What this machine has instructions for; any other is fp32 with rounding on top.
  static var fastPrecisions: [PrecisionSetting] {
    switch KernelPath.best {
    case .portable: [.fp32]
    case .avx2, .avx512, .avx512VNNI: [.fp32, .int8]
    case .avx512BF16: PrecisionSetting.allCases.filter { $0 != .auto }
    }
  }

  init(model: EmbeddedModel) throws {
    self.model = model
    var configuration = EmbeddedEngineConfiguration()
    configuration.laneCount = 1
    engine = try EmbeddedEngine(models: [model], configuration: configuration)
  }

  func scores(query: String, documents: [String]) async throws -> [DocumentScore] {
    try await score(query: query, documents: documents).scores
  }

  private func score(query: String, documents: [String]) async throws -> ScoringResult {
    try await engine.score(
      ScoringRequest(
        model: model.name, query: RerankContent(text: query),
        documents: documents.map { RerankContent(text: $0) }), progress: {})
  }

  /// Pairs that one CPU-second scores, of ``pairTokens`` where the template leaves room for a
  /// document.
  func speed(contextTokens: Int, seconds: Double) async throws -> ModelCheck.Speed {
    let query = ModelCheck.sanity.query
    let overhead = model.reservedTokens + model.tokenCounter.count(query)
    let tokens = min(max(Self.pairTokens, overhead + Self.documentTokensMin), contextTokens)
    let room = tokens - overhead
    guard room > 0 else { throw InputError("\(contextTokens) tokens leave no room for a document") }
    // Each is another text, since the same one is scored once.
    let documents = (0..<Self.documentsAtOnce).map { number in
      let words = Array(repeating: ModelCheck.sanity.relevant, count: 40).joined(separator: " ")
      return model.tokenCounter.truncate("\(number) \(words)", toTokens: room)
    }
    // What a first call alone does is not what a second of work is made of.
    _ = try await score(query: query, documents: [documents[0]])
    var pairs = 0
    var usedTokens = 0
    let start = Self.cpuSeconds()
    var used = 0.0
    repeat {
      let result = try await score(query: query, documents: documents)
      pairs += documents.count
      usedTokens += result.usage?.totalTokens ?? tokens * documents.count
      used = Self.cpuSeconds() - start
    } while used < seconds
    return ModelCheck.Speed(
      precision: model.precision, pairsPerCpuSecond: Double(pairs) / used,
      tokensPerPair: usedTokens / pairs)
  }

  /// Of all threads of this process.
  private static func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
