import Foundation
import RemoteEngine
import Scoring
import Synchronization
import TestSupport
import Testing

struct GoldenPairTests {
  private static let upsideDown = FakeHub.Answer.altered { results in
    results.map { .init(index: $0.index, text: $0.text, score: 1 - $0.score) }
  }

  @Test func aModelRanksThePairOnceBeforeItsFirstJobs() async throws {
    let hub = try FakeHub(fallback: .delayed(.milliseconds(20)))
    let admission = RecordingAdmission()
    var request = EngineFixture.request()
    request.admission = admission
    try await EngineFixture.withEngine(hub, change: { $0.models[0].checksGoldenPair = true }) {
      [request] engine in
      try await withThrowingTaskGroup { group in
        for _ in 0..<4 {
          group.addTask { _ = try await engine.score(request, progress: {}) }
        }
        try await group.waitForAll()
      }
      _ = try await engine.score(request, progress: {})
    }
    #expect(hub.rerankCount == 1 + 5)
    #expect(admission.record.permits == 6)
    let pairs = hub.requests.filter { $0.body.contains("Bread dough") }
    #expect(pairs.count == 1)
    #expect(hub.requests.first?.body == pairs.first?.body)
  }

  @Test func aWrongOrderRestsTheModelAndSpendsNoAttempt() async throws {
    let hub = try FakeHub(fallback: Self.upsideDown)
    try await EngineFixture.withEngine(hub, change: { $0.models[0].checksGoldenPair = true }) {
      engine in
      for _ in 0..<3 {
        let error = try await EngineFixture.failure(engine, EngineFixture.request())
        #expect(error?.code == .failedPrecondition)
        #expect(error?.isRetryable == true)
        #expect(error?.spendsAttempt == false)
        #expect(error?.backendFault == .unavailable)
        #expect(error?.message.contains("prompt template") == true)
        let wait = try #require(error?.retryAfter)
        #expect((Duration.seconds(50)...Duration.seconds(60)).contains(wait))
      }
    }
    // While it rests nobody asks it.
    #expect(hub.rerankCount == 1)
  }

  @Test func aModelThatWasMendedServesAfterItsRest() async throws {
    let hub = try FakeHub(fallback: .scores)
    hub.script([Self.upsideDown])
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.models[0].checksGoldenPair = true
        $0.goldenPairPause = .milliseconds(1)
      }
    ) { engine in
      #expect(try await EngineFixture.failure(engine, EngineFixture.request()) != nil)
      try await eventually("the model's return") {
        try await EngineFixture.failure(engine, EngineFixture.request()) == nil
      }
    }
  }

  @Test func aFailureOfThePairIsOneOfTheBackendAndProvesNothing() async throws {
    let hub = try FakeHub()
    hub.script([.unavailable])
    try await EngineFixture.withEngine(hub, change: { $0.models[0].checksGoldenPair = true }) {
      engine in
      let error = try await EngineFixture.failure(engine, EngineFixture.request())
      #expect(error?.code == .unavailable)
      _ = try await engine.score(EngineFixture.request(), progress: {})
    }
    #expect(hub.rerankCount == 1 + 2)
  }

  @Test func aJobThatIsCancelledBeforeItsTurnLeavesTheOthers() async throws {
    let hub = try FakeHub(fallback: .scores)
    hub.script([.hang])
    try await EngineFixture.withEngine(hub, change: { $0.models[0].checksGoldenPair = true }) {
      engine in
      let first = Task { try await engine.score(EngineFixture.request(), progress: {}) }
      try await eventually("the pair") { hub.rerankCount == 1 }
      let second = Task { try await engine.score(EngineFixture.request(), progress: {}) }
      first.cancel()
      await #expect(throws: CancellationError.self) { try await first.value }
      #expect(try await second.value.scores.count == 3)
    }
  }
}
