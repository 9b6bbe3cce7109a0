import Foundation
import RemoteEngine
import Scoring
import TestSupport
import Testing

/// Jobs that take several requests, before a real server.
struct ShardedJobTests {
  private static let texts = EngineFixture.texts(25)

  @Test func partsAreMergedByPositionAndTheirUsageSummed() async throws {
    let hub = try FakeHub()
    let admission = RecordingAdmission()
    var request = EngineFixture.request(Self.texts)
    request.admission = admission
    try await EngineFixture.withEngine(hub, change: { $0.documentsMax = 10 }) { engine in
      let result = try await engine.score(request, progress: {})
      #expect(result.scores.map(\.relevanceScore) == EngineFixture.scores(Self.texts))
      // Every part has the query's six words, and every document four.
      #expect(result.usage?.totalTokens == 3 * 6 + 25 * 4)
      #expect(result.failures.isEmpty)
    }
    #expect(hub.rerankCount == 3)
    #expect(admission.record.permits == 3)
    #expect(admission.record.backends == ["hub"])
    #expect(hub.requests.allSatisfy { !$0.body.contains("top_n") })
  }

  @Test func partsKeepWithinTokensAndPermitsSayWhatTheyCost() async throws {
    let hub = try FakeHub()
    let admission = RecordingAdmission()
    var request = EngineFixture.request(Self.texts)
    request.admission = admission
    let counter = EstimatedTokenCounter()
    let pairs = Self.texts.map {
      counter.count($0) + counter.count(EngineFixture.query) + 200
    }
    let tokensMax = pairs[0] * 5
    try await EngineFixture.withEngine(hub, change: { $0.requestTokensMax = tokensMax }) {
      engine in
      let result = try await engine.score(request, progress: {})
      #expect(result.scores.map(\.relevanceScore) == EngineFixture.scores(Self.texts))
    }
    #expect(hub.rerankCount >= 5)
    #expect(admission.record.tokens == pairs.reduce(0, +))
  }

  @Test func partsKeepWithinBytes() async throws {
    let hub = try FakeHub()
    // Escapes make the request larger than its texts.
    let texts = Self.texts.map { $0 + String(repeating: "\"", count: 100) }
    try await EngineFixture.withEngine(hub, change: { $0.requestBytesMax = 1_000 }) { engine in
      let result = try await engine.score(EngineFixture.request(texts), progress: {})
      #expect(result.scores.map(\.relevanceScore) == EngineFixture.scores(texts))
    }
    #expect(hub.requests.allSatisfy { $0.body.utf8.count <= 1_000 })
    #expect(hub.rerankCount < texts.count)
  }

  @Test func partsGoTogetherAsManyAsTheBackendTakes() async throws {
    let hub = try FakeHub(fallback: .delayed(.milliseconds(50)))
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.documentsMax = 2
        $0.concurrentRequestsMax = 3
      }
    ) { engine in
      _ = try await engine.score(EngineFixture.request(Self.texts), progress: {})
    }
    #expect(hub.rerankCount == 13)
    #expect(hub.inFlightMax == 3)
  }

  @Test func aFailedPartLeavesTheScoresOfOthersToTheNextAttempt() async throws {
    // Those before it are done, one beside it is under way, and the last is never sent.
    let hub = try FakeHub(
      fallback: .chosen { request in
        if request.body.contains("document 14 ") { return .unavailable }
        return request.body.contains("document 19 ") ? .delayed(.milliseconds(100)) : .scores
      })
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.documentsMax = 5
        $0.concurrentRequestsMax = 2
      }
    ) { engine in
      let error = try await EngineFixture.failure(engine, EngineFixture.request(Self.texts))
      #expect(error?.code == .unavailable)
      #expect(error?.isRetryable == true)
      let partial = try #require(error?.partialScores)
      let done = partial.scores.keys.sorted()
      #expect(done.count >= 10 && done.count < 25)
      #expect(Set(done).isDisjoint(with: 10..<15))
      #expect(partial.model == "fake-reranker")
      #expect(partial.scoreKind == .sigmoid)
      let expected = EngineFixture.scores(Self.texts)
      for (index, score) in partial.scores { #expect(score.relevanceScore == expected[index]) }

      // As the worker does: what is known is not asked again.
      hub.fallback = .scores
      let missing = Self.texts.indices.filter { partial.scores[$0] == nil }
      let rest = try await engine.score(
        EngineFixture.request(missing.map { Self.texts[$0] }), progress: {})
      #expect(rest.scores.map(\.relevanceScore) == missing.map { expected[$0] })
    }
  }

  @Test func aFinalFailureCutsOffWhatIsUnderWay() async throws {
    let hub = try FakeHub(
      fallback: .chosen { $0.body.contains("document 3 ") ? .notFound : .hang })
    try await EngineFixture.withEngine(hub, change: { $0.documentsMax = 2 }) { engine in
      let start = ContinuousClock.now
      let error = try await EngineFixture.failure(engine, EngineFixture.request(Self.texts))
      #expect(error?.code == .notFound)
      #expect(ContinuousClock.now - start < .seconds(10))
      try await eventually("the end of all requests") { hub.inFlight == 0 }
    }
  }

  @Test func cancellingTheTaskEndsAllRequests() async throws {
    let hub = try FakeHub(fallback: .hang)
    try await EngineFixture.withEngine(hub, change: { $0.documentsMax = 10 }) { engine in
      let task = Task {
        try await engine.score(EngineFixture.request(Self.texts), progress: {})
      }
      try await eventually("the requests") { hub.inFlight == 3 }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      try await eventually("the end of all requests") { hub.inFlight == 0 }
    }
  }

  @Test func anAdmissionThatRefusesLeavesTheJobItsAttempt() async throws {
    struct Resting: BackendAdmission {
      func withPermit<Answer: Sendable>(
        backend: String, tokens: Int, _ request: @Sendable () async throws -> Answer
      ) async throws -> Answer {
        throw EngineError(
          code: .unavailable, message: "it rests", isRetryable: true, retryAfter: .seconds(3),
          spendsAttempt: false)
      }
    }
    let hub = try FakeHub()
    var request = EngineFixture.request(Self.texts)
    request.admission = Resting()
    try await EngineFixture.withEngine(hub, change: { $0.documentsMax = 10 }) { engine in
      let error = try await EngineFixture.failure(engine, request)
      #expect(error?.message == "it rests")
      #expect(error?.retryAfter == .seconds(3))
      #expect(error?.spendsAttempt == false)
    }
    #expect(hub.rerankCount == 0)
  }

  @Test func aListwiseJobGoesWholeAndFailsWhole() async throws {
    let hub = try FakeHub()
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.models[0].isListwise = true
        $0.requestTokensMax = 100
      }
    ) { engine in
      let result = try await engine.score(EngineFixture.request(Self.texts), progress: {})
      #expect(result.scores.count == 25)
      #expect(hub.rerankCount == 1)
      hub.fallback = .internalError
      let error = try await EngineFixture.failure(engine, EngineFixture.request(Self.texts))
      #expect(error?.code == .internal)
      #expect(error?.isRetryable == true)
      #expect(hub.rerankCount == 2)
    }
  }

  @Test func fewerDocumentsThanConfiguredAreLearnedForGood() async throws {
    let hub = try FakeHub(
      fallback: .chosen { request in
        request.body.components(separatedBy: "document ").count - 1 > 7
          ? .failure(413, message: "batch size is over the maximum allowed batch size 7")
          : .scores
      })
    try await EngineFixture.withEngine(hub) { engine in
      for refusals in [2, 0] {
        let before = hub.rerankCount
        let result = try await engine.score(EngineFixture.request(Self.texts), progress: {})
        #expect(result.scores.map(\.relevanceScore) == EngineFixture.scores(Self.texts))
        // 25, 12; then in parts of 6.
        #expect(hub.rerankCount - before <= 5 + 2 * refusals)
        if refusals == 0 { #expect(hub.rerankCount - before == 5) }
      }
    }
  }

  @Test func aBodyThatTheServerFindsTooLargeIsSentInParts() async throws {
    let hub = try FakeHub(
      fallback: .chosen { request in
        request.body.utf8.count > 600
          ? .response(status: 413, headers: [:], body: "<html>too large</html>") : .scores
      })
    try await EngineFixture.withEngine(hub) { engine in
      let result = try await engine.score(EngineFixture.request(Self.texts), progress: {})
      #expect(result.scores.map(\.relevanceScore) == EngineFixture.scores(Self.texts))
    }
  }

  @Test func oneDocumentThatIsTooLargeIsFinalAndNamed() async throws {
    let hub = try FakeHub(
      fallback: .chosen { request in
        request.body.contains("document 3 ")
          ? .response(status: 413, headers: [:], body: "") : .scores
      })
    try await EngineFixture.withEngine(hub, change: { $0.concurrentRequestsMax = 1 }) { engine in
      let texts = EngineFixture.texts(6)
      let error = try await EngineFixture.failure(engine, EngineFixture.request(texts))
      #expect(error?.code == .invalidArgument)
      #expect(error?.isRetryable == false)
      #expect(error?.message.hasPrefix("document 3 cannot be scored") == true)
      var isolating = EngineFixture.request(texts)
      isolating.isolatesFailures = true
      let result = try await engine.score(isolating, progress: {})
      #expect(result.failures.map(\.index) == [3])
      #expect(result.scores.count == 5)
    }
  }

  @Test func infoOfTeiBoundsWhatIsSent() async throws {
    let hub = try FakeHub(
      fallback: .chosen { request in
        guard let body = try? JSONSerialization.jsonObject(with: Data(request.body.utf8)),
          let texts = (body as? [String: Any])?["texts"] as? [String], texts.count <= 8
        else { return .failure(413, message: "no") }
        let results = texts.indices.reversed().map { #"{"index":\#($0),"score":\#($0)}"# }
        return .response(
          status: 200, headers: [:], body: "[\(results.joined(separator: ","))]")
      })
    hub.list(
      #"{"model_id":"fake-reranker","max_client_batch_size":8,"max_input_length":512}"#,
      at: "/info")
    try await EngineFixture.withEngine(hub, change: { $0.dialect = .tei }) { engine in
      #expect(try await engine.models().map(\.contextTokens) == [512])
      let result = try await engine.score(EngineFixture.request(Self.texts), progress: {})
      #expect(result.scores.map(\.rankingKey).prefix(9) == [0, 1, 2, 3, 4, 5, 6, 7, 0])
      #expect(result.scores[0].relevanceScore == 0.5)
      #expect(result.model == "fake-reranker")
      #expect(result.usage == nil)
    }
    #expect(hub.requests.last?.path == "/rerank")
    #expect(hub.rerankCount == 4)
  }
}
