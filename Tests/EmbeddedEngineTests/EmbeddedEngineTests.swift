import Foundation
import Scoring
import Synchronization
import TestSupport
import Testing

@testable import EmbeddedEngine

@Suite struct EmbeddedEngineTests {
  /// Documents of many lengths, all different, from the tiny models' vocabulary.
  static let documents = (0..<120).map { index in
    let words = ["paris", "is", "a", "city", "in", "france", "rain", "snow", "and", "ice"]
    return (0..<(1 + index * 7 % 40)).map { words[(index + index / 40 + $0 * 3) % 10] }
      .joined(separator: " ")
  }

  /// A task may wait long for a thread of the cooperative pool, behind the tests of other suites.
  private let patience = Duration.seconds(120)

  static func request(
    _ documents: [String] = documents, model: String = "a", remaining: Duration = .seconds(600)
  ) -> ScoringRequest {
    ScoringRequest(
      model: model, query: RerankContent(text: "what is the capital of france ?"),
      documents: documents.map { RerankContent(text: $0) }, remaining: remaining)
  }

  static func engine(
    lanes: Int = 1, chunkTokensMax: Int = 128, jobsMax: Int = 256
  ) throws -> EmbeddedEngine {
    try EmbeddedEngine(
      models: [
        .load(folder: TinyModel.gelu.folder, name: "a", precision: .fp32),
        .load(folder: TinyModel.tanh.folder, name: "b", precision: .fp32),
      ],
      configuration: EmbeddedEngineConfiguration(
        laneCount: lanes, chunkTokensMax: chunkTokensMax, jobsMax: jobsMax))
  }

  @Test func modelsSayWhatAPairMayHold() throws {
    let engine = try Self.engine()
    #expect(engine.name == "embedded")
    #expect(
      engine.models() == [
        EngineModel(name: "a", contextTokens: 64, reservedTokens: 3, acceptsImages: false),
        EngineModel(name: "b", contextTokens: 64, reservedTokens: 3, acceptsImages: false),
      ])
    let counter = engine.tokenCounter(forModel: "a")
    #expect(!counter.isEstimate)
    #expect(counter.count("Paris is a city.") == 5)
    #expect(counter.truncate("paris is a city", toTokens: 2) == "paris is")
  }

  @Test func scoresComeInTheRequestsOrder() async throws {
    let engine = try Self.engine(lanes: 2)
    let golden = try TinyModel.gelu.golden()
    for pair in golden {
      let request = ScoringRequest(
        model: "a", query: RerankContent(text: pair.query),
        documents: [pair.document, "rain", pair.document].map { RerankContent(text: $0) })
      let result = try await engine.score(request, progress: {})
      #expect(result.scores.count == 3)
      #expect(abs(result.scores[0].rankingKey - pair.logit) < 1e-4)
      #expect(result.scores[2] == result.scores[0])
      #expect(result.scores[1] != result.scores[0])
      #expect(result.scores[0].relevanceScore == 1 / (1 + exp(-result.scores[0].rankingKey)))
      let usage = try #require(result.usage)
      let rainTokens = engine.tokenCounter(forModel: "a").count(pair.query) + 3 + 1
      #expect(usage.totalTokens == 2 * pair.ids.count + rainTokens)
      #expect(usage.promptTokens == usage.totalTokens)
      #expect(!usage.estimated)
    }
  }

  @Test func concurrentJobsOverSeveralLanesGetTheSameBits() async throws {
    let alone = try Self.engine(lanes: 1, chunkTokensMax: 1)
    let expected = try await [
      alone.score(Self.request(), progress: {}).scores,
      alone.score(Self.request(model: "b"), progress: {}).scores,
    ]
    #expect(expected[0] != expected[1])
    let engine = try Self.engine(lanes: 4, chunkTokensMax: 200)
    try await withThrowingTaskGroup(of: (Int, [DocumentScore]).self) { group in
      for job in 0..<24 {
        group.addTask {
          let request = Self.request(model: job % 2 == 0 ? "a" : "b")
          return (job % 2, try await engine.score(request, progress: {}).scores)
        }
      }
      for try await (model, scores) in group { #expect(scores == expected[model]) }
    }
  }

  @Test func eachChunkIsReportedAndOutsideTheCooperativePool() async throws {
    let calls = Mutex<[Bool]>([])
    let engine = try Self.engine(lanes: 2)
    _ = try await engine.score(Self.request()) {
      // Swift's cooperative pool runs tasks; a lane has none.
      let isLane = withUnsafeCurrentTask { $0 == nil }
      calls.withLock { $0.append(isLane) }
    }
    let seen = calls.withLock { $0 }
    // About 3,300 tokens in chunks of at most 128.
    #expect(seen.count >= 25)
    #expect(seen.allSatisfy { $0 })
  }

  @Test func aCancelledJobStopsBetweenChunks() async throws {
    let engine = try Self.engine()
    let calls = Mutex(0)
    let task = Mutex<Task<ScoringResult, any Error>?>(nil)
    let gate = DispatchSemaphore(value: 0)
    let running = Task {
      try await engine.score(Self.request()) {
        gate.wait()
        calls.withLock { $0 += 1 }
        task.withLock { $0?.cancel() }
        gate.signal()
      }
    }
    task.withLock { $0 = running }
    gate.signal()
    await #expect(throws: CancellationError.self) { try await running.value }
    // The lane is free: another job is scored, and the cancelled one went no further.
    _ = try await engine.score(Self.request(["paris"]), progress: {})
    #expect(calls.withLock { $0 } == 1)
  }

  @Test func aTaskCancelledBeforeItsJobStartsGetsNoScore() async throws {
    let engine = try Self.engine()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await engine.score(Self.request(), progress: {})
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(engine.jobsUnderWay == 0)
  }

  @Test func aJobPastItsDeadlineEnds() async throws {
    let engine = try Self.engine()
    let error = await #expect(throws: EngineError.self) {
      try await engine.score(Self.request(remaining: .zero), progress: {})
    }
    #expect(error?.code == .deadlineExceeded)
    #expect(engine.jobsUnderWay == 0)
  }

  @Test func aSmallJobBehindALargeOneGetsTheNextChunk() async throws {
    let engine = try Self.engine()
    let order = ChunkLog()
    let firstChunk = DispatchSemaphore(value: 0)
    let large = Task {
      try await engine.score(Self.request()) {
        if order.append("large") == 1 { firstChunk.wait() }
      }
    }
    try await eventually(timeout: patience) { order.entries == ["large"] }
    let small = Task {
      try await engine.score(Self.request(["paris"])) { _ = order.append("small") }
    }
    try await eventually(timeout: patience) { engine.jobsUnderWay == 2 }
    firstChunk.signal()
    _ = try await small.value
    _ = try await large.value
    #expect(order.entries.firstIndex(of: "small") == 2)
    #expect(order.entries.count > 20)
  }

  @Test func moreJobsThanTheLimitAreRefused() async throws {
    let engine = try Self.engine(jobsMax: 1)
    let gate = DispatchSemaphore(value: 0)
    let first = Task {
      try await engine.score(Self.request(["paris"])) { gate.wait() }
    }
    try await eventually(timeout: patience) { engine.jobsUnderWay == 1 }
    let error = await #expect(throws: EngineError.self) {
      try await engine.score(Self.request(["paris"]), progress: {})
    }
    #expect(error?.code == .resourceExhausted)
    #expect(error?.isRetryable == true)
    gate.signal()
    _ = try await first.value
    _ = try await engine.score(Self.request(["paris"]), progress: {})
  }

  @Test func aPairBeyondTheContextIsRefusedNamingTheDocument() async throws {
    let engine = try Self.engine()
    let fits = Array(repeating: "rain", count: 64 - 3 - 7).joined(separator: " ")
    _ = try await engine.score(Self.request([fits]), progress: {})
    let error = await #expect(throws: EngineError.self) {
      try await engine.score(Self.request(["rain", fits + " rain"]), progress: {})
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("document 1 and the query take 65 tokens") == true)
    #expect(error?.isRetryable == false)
  }

  @Test func aJobThatFailsLeavesNothingToTheNextOnItsLane() async throws {
    let expected = try await Self.engine().score(Self.request(["paris", "ice"]), progress: {})
    let engine = try Self.engine()
    let tooLong = Array(repeating: "rain", count: 64).joined(separator: " ")
    for _ in 0..<2 {
      // The longest come first, so those that fit stand in the lane's batch when the error comes.
      await #expect(throws: EngineError.self) {
        try await engine.score(
          Self.request(["snow", "rain snow", tooLong, "snow"]), progress: {})
      }
      let expired = Self.request(["snow", "rain"], remaining: .zero)
      await #expect(throws: EngineError.self) { try await engine.score(expired, progress: {}) }
      let next = try await engine.score(Self.request(["paris", "ice"]), progress: {})
      #expect(next.scores == expected.scores)
      #expect(next.usage == expected.usage)
    }
  }

  @Test func anEmptyDocumentIsScored() async throws {
    let result = try await Self.engine().score(Self.request(["", "rain"]), progress: {})
    #expect(result.scores.count == 2)
    #expect(result.usage?.totalTokens == 10 + 11)
  }

  @Test(arguments: [
    "classifier.bias", "bert.encoder.layer.0.attention.self.query.bias",
    "bert.encoder.layer.1.intermediate.dense.bias",
  ])
  func aWeightThatIsNoNumberIsAnErrorNotAScore(tensor: String) async throws {
    let folder = try TemporaryFolder("model")
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
      try FileManager.default.copyItem(
        at: TinyModel.gelu.folder.appending(path: name), to: folder.url.appending(path: name))
    }
    let url = folder.url.appending(path: "model.safetensors")
    let stored = try #require(try SafetensorsFile(url: url).tensors[tensor])
    let weights = try FileHandle(forUpdating: url)
    try weights.seek(toOffset: UInt64(stored.offset))
    try weights.write(contentsOf: withUnsafeBytes(of: Float.nan) { Data($0) })
    try weights.close()
    let engine = try EmbeddedEngine(models: [.load(folder: folder.url, name: "a")])
    let error = await #expect(throws: EngineError.self) {
      try await engine.score(Self.request(["rain", "snow"]), progress: {})
    }
    #expect(error?.code == .internal)
    #expect(error?.isRetryable == false)
  }

  @Test func whatCannotBeScoredIsRefused() async throws {
    let engine = try Self.engine()
    let image = RerankContent(parts: [.text("a"), .imageURL("https://example.org/a.png")])
    var withImage = Self.request(["rain"])
    withImage.documents.append(image)
    var imageQuery = Self.request(["rain"])
    imageQuery.query = image
    for (request, code, expected) in [
      (Self.request(model: "c"), EngineError.Code.notFound, "no model c; it has a, b"),
      (Self.request([]), .invalidArgument, "no document"),
      (withImage, .invalidArgument, "document 1 has an image"),
      (imageQuery, .invalidArgument, "the query has an image"),
    ] {
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(request, progress: {})
      }
      #expect(error?.code == code)
      #expect(error?.message.contains(expected) == true)
      #expect(error?.isRetryable == false)
    }
  }

  @Test func limitsOutOfRangeAreErrorsNamingThem() throws {
    let model = try TinyModel.gelu.load()
    for (configuration, expected) in [
      (EmbeddedEngineConfiguration(laneCount: 0), "laneCount is 0"),
      (EmbeddedEngineConfiguration(chunkTokensMax: 0), "chunkTokensMax is 0"),
      (EmbeddedEngineConfiguration(jobsMax: 0), "jobsMax is 0"),
      (EmbeddedEngineConfiguration(prefixBytesMax: -1), "prefixBytesMax is -1"),
    ] {
      let error = #expect(throws: EmbeddedEngineError.self) {
        try EmbeddedEngine(models: [model], configuration: configuration)
      }
      #expect(error?.message.contains(expected) == true)
    }
    #expect(throws: EmbeddedEngineError.self) { try EmbeddedEngine(models: []) }
    #expect(throws: EmbeddedEngineError.self) { try EmbeddedEngine(models: [model, model]) }
    #expect(EmbeddedEngineConfiguration.defaultLaneCount >= 1)
  }
}

/// Which job's chunk was scored when.
final class ChunkLog: Sendable {
  private let log = Mutex<[String]>([])

  var entries: [String] { log.withLock { $0 } }

  /// Returns how many entries there are now.
  func append(_ job: String) -> Int {
    log.withLock { log in
      log.append(job)
      return log.count
    }
  }
}
