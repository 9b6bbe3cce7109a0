import Foundation
import Scoring
import Synchronization
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// Jobs that share batches: each gets the scores and the errors that it would get alone.
@Suite struct BatchingTests {
  private let patience = Duration.seconds(120)

  private static func engine(
    _ models: [EmbeddedModel], lanes: Int = 1, chunkTokensMax: Int = 512, jobsMax: Int = 256,
    prefixBytesMax: Int = 256 << 20
  ) throws -> EmbeddedEngine {
    try EmbeddedEngine(
      models: models,
      configuration: EmbeddedEngineConfiguration(
        laneCount: lanes, chunkTokensMax: chunkTokensMax, jobsMax: jobsMax,
        prefixBytesMax: prefixBytesMax))
  }

  private static func request(
    _ documents: [String], query: String = "what is the capital of france ?",
    model: String = TinyModel.gelu.rawValue, remaining: Duration = .seconds(600)
  ) -> ScoringRequest {
    ScoringRequest(
      model: model, query: RerankContent(text: query),
      documents: documents.map { RerankContent(text: $0) }, remaining: remaining)
  }

  /// Scores requests together: all of them wait while the engine's only lane is held by a job of
  /// its own, and are then in as few batches as hold them.
  private func scored(
    _ requests: [ScoringRequest], by engine: EmbeddedEngine
  ) async throws -> [Result<ScoringResult, any Error>] {
    let gate = DispatchSemaphore(value: 0)
    let isHeld = Mutex(false)
    let holder = Task {
      var request = Self.request(["rain"])
      request.model = requests[0].model
      return try await engine.score(request) {
        let isFirst = isHeld.withLock { isHeld in
          defer { isHeld = true }
          return !isHeld
        }
        if isFirst { gate.wait() }
      }
    }
    try await eventually(timeout: patience) { isHeld.withLock { $0 } }
    let tasks = requests.map { request in
      Task { () -> Result<ScoringResult, any Error> in
        do {
          return .success(try await engine.score(request, progress: {}))
        } catch {
          return .failure(error)
        }
      }
    }
    do {
      defer { gate.signal() }
      try await eventually(timeout: patience) { engine.jobsUnderWay == 1 + requests.count }
    }
    _ = try await holder.value
    var results: [Result<ScoringResult, any Error>] = []
    for task in tasks { results.append(await task.value) }
    return results
  }

  /// One a job, each with odd text in its query or its documents.
  static let oddJobs: [(query: String, documents: [String])] = FamilyTextTests.oddTexts.enumerated()
    .flatMap { index, text in
      let next = FamilyTextTests.oddTexts[(index + 1) % FamilyTextTests.oddTexts.count]
      return [("what is it ?", [text, "rain", next]), (text, ["a city"])]
    }

  static let models: [@Sendable () throws -> EmbeddedModel] =
    FamilyModel.allCases.map { family in
      { try EmbeddedModel.load(folder: family.folder, name: "m") }
    } + [
      { try EmbeddedModel.load(folder: TinyModel.gelu.folder, name: "m") },
      { try EmbeddedModel.builtIn(name: "m") },
    ]

  @Test(arguments: models.indices)
  func oddTextsOfManyJobsGetTheScoresThatTheyGetAlone(model: Int) async throws {
    let model = try Self.models[model]()
    let requests = Self.oddJobs.map { Self.request($0.documents, query: $0.query, model: "m") }
    let together = try await scored(requests, by: Self.engine([model]))
    let alone = try Self.engine([model], chunkTokensMax: 1, prefixBytesMax: 0)
    for (request, result) in zip(requests, together) {
      var expected: [DocumentScore] = []
      for document in request.documents {
        var single = request
        single.documents = [document]
        expected += try await alone.score(single, progress: {}).scores
      }
      #expect(try result.get().scores == expected, "\(request.query.text.debugDescription)")
      #expect(expected.allSatisfy { $0.rankingKey.isFinite })
    }
  }

  @Test func aJobsErrorIsItsOwn() async throws {
    let engine = try Self.engine([TinyModel.gelu.load(), TinyModel.relu.load()])
    let good = (0..<6).map { Self.request(["snow \($0)", "rain", "paris is a city"]) }
    let tooLong = Array(repeating: "rain", count: 64).joined(separator: " ")
    let enormous = String(repeating: "a ", count: 100_000)
    let failing = [
      (Self.request(["ice", tooLong, "snow"]), EngineError.Code.invalidArgument),
      (Self.request([enormous]), .invalidArgument),
      (Self.request(["ice"], query: enormous), .invalidArgument),
      (Self.request(["ice", "snow"], remaining: .zero), .deadlineExceeded),
    ]
    var requests = good
    for (index, (request, _)) in failing.enumerated() { requests.insert(request, at: 2 * index) }
    let results = try await scored(requests, by: engine)
    let alone = try Self.engine([TinyModel.gelu.load()], chunkTokensMax: 1)
    var rest = results
    for (index, (_, code)) in failing.enumerated().reversed() {
      let error = #expect(throws: EngineError.self) { try rest.remove(at: 2 * index).get() }
      #expect(error?.code == code)
    }
    for (request, result) in zip(good, rest) {
      let expected = try await alone.score(request, progress: {})
      #expect(try result.get().scores == expected.scores)
      #expect(try result.get().usage == expected.usage)
    }
  }

  @Test func aCancelledJobsNeighboursAreScored() async throws {
    let engine = try Self.engine([TinyModel.gelu.load()])
    let expected = try await engine.score(Self.request(["snow", "ice"]), progress: {})
    let gate = DispatchSemaphore(value: 0)
    let isHeld = Mutex(false)
    // The first batch holds all three jobs; the second job is cancelled while it is scored.
    let holder = Task {
      try await engine.score(Self.request(["rain"])) {
        isHeld.withLock { $0 = true }
        gate.wait()
      }
    }
    try await eventually(timeout: patience) { isHeld.withLock { $0 } }
    let cancelled = Task { try await engine.score(Self.request(["paris", "ice"]), progress: {}) }
    try await eventually(timeout: patience) { engine.jobsUnderWay == 2 }
    let neighbours = (0..<3).map { _ in
      Task {
        try await engine.score(Self.request(["snow", "ice"])) { cancelled.cancel() }
      }
    }
    try await eventually(timeout: patience) { engine.jobsUnderWay == 5 }
    gate.signal()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    for neighbour in neighbours {
      #expect(try await neighbour.value.scores == expected.scores)
    }
    _ = try await holder.value
    #expect(engine.jobsUnderWay == 0)
  }

  @Test func aScoreThatIsNoNumberEndsItsJobAlone() async throws {
    // A word's embedding is what only its own pairs read.
    let folder = try TemporaryFolder("model")
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
      try FileManager.default.copyItem(
        at: TinyModel.gelu.folder.appending(path: name), to: folder.url.appending(path: name))
    }
    let url = folder.url.appending(path: "model.safetensors")
    let table = try #require(
      try SafetensorsFile(url: url).tensors["bert.embeddings.word_embeddings.weight"])
    let word = try #require(try TinyModel.gelu.load().tokenizer.id(ofToken: "snow"))
    let weights = try FileHandle(forUpdating: url)
    try weights.seek(toOffset: UInt64(table.offset + Int(word) * table.shape[1] * 4))
    try weights.write(contentsOf: withUnsafeBytes(of: Float.nan) { Data($0) })
    try weights.close()

    let engine = try Self.engine([.load(folder: folder.url, name: "m", precision: .fp32)])
    let requests = [["rain"], ["ice", "snow"], ["paris", "rain"]].map {
      Self.request($0, model: "m")
    }
    let results = try await scored(requests, by: engine)
    #expect(try results[0].get().scores.count == 1)
    let error = #expect(throws: EngineError.self) { try results[1].get() }
    #expect(error?.code == .internal)
    let expected = try await Self.engine([TinyModel.gelu.load()])
      .score(Self.request(["paris", "rain"]), progress: {})
    #expect(try results[2].get().scores == expected.scores)
  }

  /// Of one document each, so that a job in a batch of its own would be a batch a job.
  @Test func manySmallJobsAreScoredInFewBatches() async throws {
    let model = try EmbeddedModel.load(folder: FamilyModel.qwen3Tied.folder, name: "m")
    let engine = try Self.engine([model], chunkTokensMax: 4096)
    let layers = Mutex(0)
    let gate = DispatchSemaphore(value: 0)
    let holder = Task {
      try await engine.score(Self.request(["rain"], model: "m")) {
        let layer = layers.withLock { layers in
          layers += 1
          return layers
        }
        if layer == 1 { gate.wait() }
      }
    }
    try await eventually(timeout: patience) { layers.withLock { $0 } == 1 }
    let order = ChunkLog()
    let jobs = (0..<4).map { job in
      Task {
        try await engine.score(Self.request(["snow \(job)"], model: "m")) {
          _ = order.append("\(job)")
        }
      }
    }
    try await eventually(timeout: patience) { engine.jobsUnderWay == 5 }
    gate.signal()
    _ = try await holder.value
    for job in jobs { _ = try await job.value }
    // A decoder reports each layer to all jobs of its batch: by turns if they are in one.
    let seen = order.entries
    #expect(seen.count == 4 * 5)
    for start in stride(from: 0, to: seen.count, by: 4) {
      #expect(Set(seen[start..<start + 4]).count == 4)
    }
  }

  @Test func aDocumentThatIsThereSeveralTimesIsScoredOnce() async throws {
    // Each of these takes a batch.
    let engine = try Self.engine([TinyModel.gelu.load()], chunkTokensMax: 16)
    func score(_ documents: [String]) async throws -> (result: ScoringResult, batches: Int) {
      let batches = Mutex(0)
      let result = try await engine.score(Self.request(documents)) {
        batches.withLock { $0 += 1 }
      }
      return (result, batches.withLock { $0 })
    }
    let distinct = try await score(["rain", "snow", "", "ice"])
    let several = try await score(["snow", "rain", "snow", "", "ice", "snow", "", "rain"])
    #expect(distinct.batches == 4)
    #expect(several.batches == 4)
    #expect(several.result.scores == [1, 0, 1, 2, 3, 1, 2, 0].map { distinct.result.scores[$0] })
    // As if each had been scored: the query's tokens, three control tokens and a word or none.
    #expect(several.result.usage?.totalTokens == 8 * 10 + 6)
    // The same character to Swift, and other bytes to a tokenizer.
    #expect(try await score(["\u{E9}", "e\u{301}", "\u{E9}"]).batches == 2)
    let tooLong = Array(repeating: "rain", count: 64).joined(separator: " ")
    let error = await #expect(throws: EngineError.self) {
      try await engine.score(Self.request(["ice", "ice", tooLong, tooLong]), progress: {})
    }
    #expect(error?.message.contains("document 2 and the query") == true)
  }

  @Test(arguments: [0, 6, 60, 1 << 20])
  func decoderJobsWithPrefixesOfTheirOwnShareBatches(prefixTokens: Int) async throws {
    let model = try EmbeddedModel.load(folder: FamilyModel.qwen3Classifier.folder, name: "m")
    let requests = (0..<5).map { job in
      Self.request(
        (0..<1 + job).map { "document \($0) of \(job)" }, query: "query \(job * job)", model: "m")
    }
    let bytes = prefixTokens * model.network.prefixBytesPerToken
    let results = try await scored(requests, by: Self.engine([model], prefixBytesMax: bytes))
    let alone = try Self.engine([model], prefixBytesMax: 0)
    for (request, result) in zip(requests, results) {
      let expected = try await alone.score(request, progress: {})
      #expect(try result.get().scores == expected.scores)
      #expect(try result.get().usage == expected.usage)
    }
  }
}
