import Foundation
import RemoteEngine
import Scoring
import Synchronization
import TestSupport
import Testing

struct CredentialRenewalTests {
  @Test func aRefusedTokenThatIsReplacedIsToldOnce() async throws {
    let hub = try FakeHub()
    let folder = try TemporaryFolder()
    let path = try folder.writeSecret("wrong", to: "token")
    try await withEngine(hub, .file(path)) { engine, told in
      let refused = try await EngineFixture.failure(engine, EngineFixture.request())
      #expect(refused?.code == .unauthenticated)
      #expect(refused?.backendFault == .credentialsRefused)
      #expect(refused?.spendsAttempt == false)
      #expect(told().isEmpty)
      try folder.writeSecret(FakeHub.token, to: "token")
      try await eventually("the renewal") { told() == ["hub"] }
      _ = try await engine.score(EngineFixture.request(), progress: {})
      // Nothing is watched while the token is accepted.
      try folder.writeSecret("wrong again", to: "token")
      _ = try await EngineFixture.failure(engine, EngineFixture.request())
      #expect(told() == ["hub"])
      try folder.writeSecret(FakeHub.token, to: "token")
      try await eventually("the second renewal") { told() == ["hub", "hub"] }
    }
  }

  @Test func aTokenThatWasMissingIsToldWhenItComes() async throws {
    let hub = try FakeHub()
    let folder = try TemporaryFolder()
    try await withEngine(hub, .file(folder.path("token"))) { engine, told in
      let refused = try await EngineFixture.failure(engine, EngineFixture.request())
      #expect(refused?.backendFault == .credentialsRefused)
      try folder.writeSecret(FakeHub.token, to: "token")
      try await eventually("the renewal") { told() == ["hub"] }
    }
  }

  @Test func aTokenThatWasReplacedWhileTheRequestWasUnderWayIsTold() async throws {
    let folder = try TemporaryFolder()
    let path = try folder.writeSecret(FakeHub.token, to: "token")
    let hub = try FakeHub(
      fallback: .chosen { _ in
        _ = try? folder.writeSecret("another one", to: "token")
        return .unauthorized
      })
    try await withEngine(hub, .file(path)) { engine, told in
      _ = try await EngineFixture.failure(engine, EngineFixture.request())
      try await eventually("the renewal") { told() == ["hub"] }
    }
  }

  @Test func everyListenerIsTold() async throws {
    let hub = try FakeHub()
    let folder = try TemporaryFolder()
    try await withEngine(hub, .file(folder.path("token"))) { engine, told in
      // The workers of several queues share their engines.
      let second = engine.renewedCredentials()
      _ = try await EngineFixture.failure(engine, EngineFixture.request())
      try folder.writeSecret(FakeHub.token, to: "token")
      for await name in second {
        #expect(name == "hub")
        break
      }
      try await eventually("the renewal") { told() == ["hub"] }
    }
  }

  @Test func theStreamEndsWithTheEngine() async throws {
    let hub = try FakeHub()
    let ended = Told()
    try await EngineFixture.withEngine(hub) { engine in
      let stream = engine.renewedCredentials()
      Task {
        for await _ in stream {}
        ended.names.withLock { $0 = ["end"] }
      }
    }
    try await eventually("the stream's end") { ended.names.withLock { $0 } == ["end"] }
  }

  /// - Parameter body: gets the engine, and what was told so far.
  private func withEngine(
    _ hub: FakeHub, _ credentials: RemoteEngineConfiguration.Credentials,
    _ body: (RemoteRerankEngine, @escaping @Sendable () -> [String]) async throws -> Void
  ) async throws {
    let told = Told()
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.credentials = credentials
        $0.credentialsPoll = .milliseconds(5)
      }
    ) { engine in
      let renewals = engine.renewedCredentials()
      Task { for await name in renewals { told.names.withLock { $0.append(name) } } }
      try await body(engine) { told.names.withLock { $0 } }
    }
  }

  private final class Told: Sendable {
    let names = Mutex<[String]>([])
  }
}
