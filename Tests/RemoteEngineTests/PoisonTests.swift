import RemoteEngine
import Scoring
import Synchronization
import TestSupport
import Testing

/// Documents that make a backend fail, whatever stands beside them.
struct PoisonTests {
  private static let poisoned = FakeHub.Answer.chosen {
    $0.body.contains("POISON") ? .internalError : .scores
  }

  @Test func onePoisonFailsAloneWhereFailuresAreIsolated() async throws {
    let hub = try FakeHub(fallback: Self.poisoned)
    let texts = EngineFixture.texts(64, poison: [37])
    let admission = RecordingAdmission()
    var request = EngineFixture.request(texts)
    request.isolatesFailures = true
    request.admission = admission
    try await EngineFixture.withEngine(hub) { engine in
      let result = try await engine.score(request, progress: {})
      #expect(result.failures.map(\.index) == [37])
      let error = try #require(result.failures.first?.error)
      #expect(error.code == .internal)
      #expect(!error.isRetryable)
      #expect(error.message.contains("answered 500"))
      var expected = EngineFixture.scores(texts)
      expected.remove(at: 37)
      #expect(result.scores.map(\.relevanceScore) == expected)
    }
    // The request, the control pair, the request again, and two a level.
    #expect(hub.rerankCount <= 3 + 2 * 6)
    #expect(admission.record.permits == hub.rerankCount)
    // The rest of them say nothing against the backend.
    #expect(admission.record.faults == [.unavailable])
  }

  @Test func withoutIsolationThePoisonIsFinalAndNamedAndTheScoresAreKept() async throws {
    let hub = try FakeHub(fallback: Self.poisoned)
    try await EngineFixture.withEngine(hub) { engine in
      let error = try await EngineFixture.failure(
        engine, EngineFixture.request(EngineFixture.texts(16, poison: [11])))
      #expect(error?.isRetryable == false)
      #expect(error?.message.hasPrefix("document 11 cannot be scored") == true)
      #expect(error?.backendFault == nil)
      #expect(error?.partialScores?.scores[0] != nil)
      #expect(error?.partialScores?.scores[11] == nil)
    }
  }

  @Test func positionsHoldInLaterParts() async throws {
    let hub = try FakeHub(fallback: Self.poisoned)
    var request = EngineFixture.request(EngineFixture.texts(40, poison: [3, 25, 39]))
    request.isolatesFailures = true
    try await EngineFixture.withEngine(hub, change: { $0.documentsMax = 10 }) { engine in
      let result = try await engine.score(request, progress: {})
      #expect(result.failures.map(\.index) == [3, 25, 39])
      #expect(result.scores.count == 37)
    }
  }

  @Test func aJobOfPoisonAloneFailsDocumentByDocument() async throws {
    let hub = try FakeHub(fallback: Self.poisoned)
    var request = EngineFixture.request(EngineFixture.texts(4, poison: [0, 1, 2, 3]))
    request.isolatesFailures = true
    try await EngineFixture.withEngine(hub) { engine in
      let result = try await engine.score(request, progress: {})
      #expect(result.failures.map(\.index) == [0, 1, 2, 3])
      #expect(result.scores.isEmpty)
    }
  }

  @Test func aBackendThatFailsWithTheControlPairTooIsTheQueuesToRetry() async throws {
    let hub = try FakeHub(fallback: .internalError)
    try await EngineFixture.withEngine(hub) { engine in
      let error = try await EngineFixture.failure(engine, EngineFixture.request())
      #expect(error?.code == .internal)
      #expect(error?.isRetryable == true)
      #expect(error?.backendFault == .unavailable)
      #expect(hub.rerankCount == 2)
    }
  }

  @Test func aBackendThatFallsIllMeanwhileConvictsNobody() async throws {
    let hub = try FakeHub(fallback: .internalError)
    // The control pair alone succeeds.
    hub.script([.internalError, .scores])
    var request = EngineFixture.request(EngineFixture.texts(2))
    request.isolatesFailures = true
    try await EngineFixture.withEngine(hub) { engine in
      let error = try await EngineFixture.failure(engine, request)
      #expect(error?.isRetryable == true)
    }
  }

  @Test func aFailureThatPassesIsNoPoison() async throws {
    let hub = try FakeHub()
    hub.script([.internalError])
    try await EngineFixture.withEngine(hub) { engine in
      let result = try await engine.score(EngineFixture.request(), progress: {})
      #expect(
        result.scores.map(\.relevanceScore) == EngineFixture.scores(EngineFixture.documents))
      #expect(hub.rerankCount == 3)
    }
  }

  @Test func failuresOfDifferentWordsAreNotBisected() async throws {
    let count = Mutex(0)
    let hub = try FakeHub(
      fallback: .chosen { request in
        guard request.body.contains("POISON") else { return .scores }
        let number = count.withLock { count in
          count += 1
          return count
        }
        return .failure(500, message: "fault number \(number)")
      })
    try await EngineFixture.withEngine(hub) { engine in
      let error = try await EngineFixture.failure(
        engine, EngineFixture.request(EngineFixture.texts(16, poison: [4])))
      #expect(error?.isRetryable == true)
      #expect(hub.rerankCount == 3)
    }
  }

  @Test func aSingleDocumentIsTheQueuesToRetry() async throws {
    let hub = try FakeHub(fallback: Self.poisoned)
    try await EngineFixture.withEngine(hub) { engine in
      let error = try await EngineFixture.failure(
        engine, EngineFixture.request(EngineFixture.texts(1, poison: [0])))
      #expect(error?.isRetryable == true)
      #expect(hub.rerankCount == 1)
    }
  }

  @Test func bisectionIsBoundedAndKeepsWhatItScored() async throws {
    let hub = try FakeHub(fallback: Self.poisoned)
    var request = EngineFixture.request(EngineFixture.texts(64, poison: [60]))
    request.isolatesFailures = true
    try await EngineFixture.withEngine(hub, change: { $0.bisectionRequestsMax = 3 }) { engine in
      let error = try await EngineFixture.failure(engine, request)
      #expect(error?.isRetryable == true)
      #expect(error?.partialScores?.scores.count == 32 + 16 + 8)
      #expect(hub.rerankCount == 3 + 3)
    }
  }

  @Test func aPairThatIsTooLongFailsAloneWithoutFurtherEvidence() async throws {
    let tooLong = FakeHub.Answer.response(
      status: 400, headers: [:],
      body: #"{"error":{"message":"exceeds the context","type":"exceed_context_size_error"}}"#)
    let hub = try FakeHub(
      fallback: .chosen { $0.body.contains("POISON") ? tooLong : .scores })
    var request = EngineFixture.request(EngineFixture.texts(16, poison: [5]))
    try await EngineFixture.withEngine(hub) { engine in
      let error = try await EngineFixture.failure(engine, request)
      #expect(error?.code == .invalidArgument)
      #expect(error?.isRetryable == false)
      #expect(hub.rerankCount == 1)
      request.isolatesFailures = true
      let result = try await engine.score(request, progress: {})
      #expect(result.failures.map(\.index) == [5])
      #expect(result.failures.map(\.error.code) == [.invalidArgument])
      #expect(result.scores.count == 15)
      #expect(hub.rerankCount <= 1 + 1 + 2 * 4)
    }
  }
}
