import Foundation
import Logging
import RemoteEngine
import Scoring
import Synchronization
import TestSupport
import Testing

/// The engine against a real server over real sockets.
struct RemoteRerankEngineTests {
  @Test func scoresComeBackInTheOrderOfTheRequest() async throws {
    let hub = try FakeHub()
    try await EngineFixture.withEngine(hub) { engine in
      let result = try await engine.score(EngineFixture.request(), progress: {})
      #expect(
        result.scores.map(\.relevanceScore)
          == EngineFixture.documents.map {
            Float(FakeHub.score(query: EngineFixture.query, document: $0))
          })
      #expect(result.model == "fake-reranker")
      #expect(result.usage?.estimated == false)
    }
    let sent = try #require(hub.requests.first)
    #expect(sent.headers["authorization"] == "Bearer \(FakeHub.token)")
    #expect(sent.headers["traceparent"] == "00-trace")
    #expect(sent.headers["content-type"] == "application/json")
  }

  @Test func modelsAreThoseThatTheBackendLists() async throws {
    let hub = try FakeHub(models: ["fake-reranker", "unconfigured"])
    try await EngineFixture.withEngine(
      hub, change: { $0.models.append(.init(name: "absent", servedName: "gone")) }
    ) { engine in
      let models = try await engine.models()
      #expect(
        models == [
          EngineModel(
            name: "ranker", contextTokens: 32_768, reservedTokens: 200, acceptsImages: false)
        ])
    }
  }

  @Test func backendThatIsAwayCannotTellItsModels() async throws {
    let hub = try FakeHub()
    hub.stop()
    try await EngineFixture.withEngine(hub) { engine in
      let error = await #expect(throws: EngineError.self) { try await engine.models() }
      #expect(error?.code == .unavailable)
    }
  }

  @Test(arguments: [
    (FakeHub.Answer.unauthorized, EngineError.Code.unauthenticated, true, true),
    (.notFound, .notFound, false, false),
    (.failure(507, message: "full"), .internal, true, false),
    (.unavailable, .unavailable, true, false),
    (.failure(400, message: "bad"), .invalidArgument, false, false),
    (.brokenJSON, .internal, true, false),
    (.resetBeforeHead, .unavailable, true, false),
    (.resetInBody, .unavailable, true, false),
    (.altered { $0.dropLast() }, .internal, true, false),
    (.altered { $0 + $0.prefix(1) }, .internal, true, false),
    (.altered { $0 + [.init(index: 99, text: "", score: 0.5)] }, .internal, true, false),
    (ranking(#"[{"index":0,"relevance_score":"0.5"}]"#), .internal, true, false),
    (ranking(#"[{"index":0,"relevance_score":NaN}]"#), .internal, true, false),
    (ranking(#"[{"index":0,"relevance_score":1e39}]"#), .internal, true, false),
    (ranking("{}"), .internal, true, false),
    (
      .altered { $0.map { .init(index: $0.index, text: "", score: 1.5) } }, .failedPrecondition,
      false, false
    ),
    (ranking("[]", model: "another"), .failedPrecondition, false, false),
    (.oversized(bytes: 2_000_000), .resourceExhausted, false, false),
    (.response(status: 204, headers: [:], body: ""), .internal, true, false),
    (
      .response(status: 307, headers: ["location": "/elsewhere"], body: ""),
      .failedPrecondition, false, false
    ),
  ])
  func faultsAreClassified(
    answer: FakeHub.Answer, code: EngineError.Code, isRetryable: Bool,
    refusesCredentials: Bool
  ) async throws {
    let hub = try FakeHub(fallback: answer)
    try await EngineFixture.withEngine(hub, change: { $0.responseBytesMax = 1_000_000 }) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == code)
      #expect(error?.isRetryable == isRetryable)
      #expect((error?.backendFault == .credentialsRefused) == refusesCredentials)
      #expect(error?.spendsAttempt == !refusesCredentials)
      #expect(error?.message.contains(FakeHub.token) == false)
    }
    #expect(hub.rerankCount == 1, "the ledger retries, not the engine")
  }

  @Test func retryAfterIsHonouredInSecondsAndAsADate() async throws {
    let hub = try FakeHub()
    let date = DateFormatter()
    date.locale = Locale(identifier: "en_US_POSIX")
    date.timeZone = TimeZone(secondsFromGMT: 0)
    date.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    hub.script([
      .tooManyRequests(retryAfter: "17"),
      .tooManyRequests(retryAfter: date.string(from: Date(timeIntervalSinceNow: 3_600))),
    ])
    try await EngineFixture.withEngine(hub) { engine in
      let seconds = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(seconds?.code == .resourceExhausted)
      #expect(seconds?.retryAfter == .seconds(17))
      let dated = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      let wait = try #require(dated?.retryAfter)
      #expect((Duration.seconds(3_590)...Duration.seconds(3_600)).contains(wait))
    }
  }

  @Test func refusedConnectionIsUnavailable() async throws {
    let hub = try FakeHub()
    hub.stop()
    try await EngineFixture.withEngine(hub) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == .unavailable)
      #expect(error?.isRetryable == true)
    }
  }

  @Test(arguments: [FakeHub.Answer.hang, .drip(pause: .milliseconds(50))])
  func backendThatHangsOrDripsLosesTheJobAtTheTimeout(answer: FakeHub.Answer) async throws {
    let hub = try FakeHub(fallback: answer)
    try await EngineFixture.withEngine(hub, change: { $0.responseTimeout = .milliseconds(300) }) {
      engine in
      let start = ContinuousClock.now
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == .deadlineExceeded)
      #expect(error?.isRetryable == true)
      #expect(ContinuousClock.now - start < .seconds(5))
    }
  }

  @Test func jobsDeadlineComesBeforeTheTimeout() async throws {
    let hub = try FakeHub(fallback: .hang)
    try await EngineFixture.withEngine(hub) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(remaining: .milliseconds(200)), progress: {})
      }
      #expect(error?.code == .deadlineExceeded)
    }
  }

  @Test func progressIsReportedWhileAnAnswerIsOutstandingWithinItsTime() async throws {
    let hub = try FakeHub(fallback: .delayed(.milliseconds(1_300)))
    let reports = Mutex(0)
    try await EngineFixture.withEngine(hub) { engine in
      _ = try await engine.score(EngineFixture.request()) { reports.withLock { $0 += 1 } }
    }
    #expect(reports.withLock { $0 } >= 1)
  }

  @Test func cancelledTaskEndsTheRequest() async throws {
    let hub = try FakeHub(fallback: .hang)
    try await EngineFixture.withEngine(hub) { engine in
      let task = Task { try await engine.score(EngineFixture.request(), progress: {}) }
      try await eventually("the request") { hub.rerankCount == 1 }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }

  @Test func answerBeyondTheLimitIsRefused() async throws {
    let hub = try FakeHub(fallback: .oversized(bytes: 100_000))
    try await EngineFixture.withEngine(hub, change: { $0.responseBytesMax = 50_000 }) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.isRetryable == false)
    }
  }

  @Test func whatNoRequestCanHoldIsRefusedBeforeTheBackendIsAsked() async throws {
    let hub = try FakeHub()
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.documentsMax = 2
        $0.models[0].isListwise = true
      }
    ) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("at most 2 documents") == true)
    }
    try await EngineFixture.withEngine(hub, change: { $0.requestBytesMax = 50 }) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("of at most 50") == true)
      #expect(error?.message.hasPrefix("document ") == true)
    }
    try await EngineFixture.withEngine(hub) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(model: "unknown"), progress: {})
      }
      #expect(error?.code == .notFound)
    }
    #expect(hub.rerankCount == 0)
  }

  @Test func requestsUnderWayAreBounded() async throws {
    let hub = try FakeHub(fallback: .delayed(.milliseconds(20)))
    try await EngineFixture.withEngine(hub, change: { $0.concurrentRequestsMax = 2 }) { engine in
      try await withThrowingTaskGroup { group in
        for _ in 0..<10 {
          group.addTask { _ = try await engine.score(EngineFixture.request(), progress: {}) }
        }
        try await group.waitForAll()
      }
    }
    #expect(hub.rerankCount == 10)
    #expect(hub.inFlightMax == 2)
  }

  @Test func replacedTokenFileIsReadAgain() async throws {
    let hub = try FakeHub()
    let folder = try TemporaryFolder()
    let path = try folder.writeSecret("wrong\n", to: "token")
    try await EngineFixture.withEngine(hub, change: { $0.credentials = .file(path) }) { engine in
      let error = await #expect(throws: EngineError.self) {
        try await engine.score(EngineFixture.request(), progress: {})
      }
      #expect(error?.code == .unauthenticated)
      try folder.writeSecret("  \(FakeHub.token)\r\n", to: "token")
      _ = try await engine.score(EngineFixture.request(), progress: {})
    }
  }

  @Test func missingTokensPauseTheModelAndAskNobody() async throws {
    let hub = try FakeHub()
    let folder = try TemporaryFolder()
    let empty = try folder.writeSecret(" \n", to: "empty")
    let unsendable = try folder.writeSecret("a b", to: "unsendable")
    let large = try folder.writeSecret(String(repeating: "x", count: 20_000), to: "large")
    let sources: [RemoteEngineConfiguration.Credentials] = [
      .environment("NOT_SET"), .file(folder.path("absent")), .file(empty), .file(unsendable),
      .file(large),
    ]
    for credentials in sources {
      try await EngineFixture.withEngine(hub, change: { $0.credentials = credentials }) { engine in
        let error = await #expect(throws: EngineError.self) {
          try await engine.score(EngineFixture.request(), progress: {})
        }
        #expect(error?.code == .unauthenticated)
        #expect(error?.backendFault == .credentialsRefused)
        #expect(error?.spendsAttempt == false)
        #expect(error?.retryAfter == .seconds(60))
      }
    }
    #expect(hub.requests.isEmpty)
  }

  /// An answer of 200 with these results.
  private static func ranking(_ results: String, model: String = "fake-reranker") -> FakeHub.Answer
  {
    .response(
      status: 200, headers: [:], body: #"{"model":"\#(model)","results":\#(results)}"#)
  }
}
