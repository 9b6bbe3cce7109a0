import Foundation
import RerankdClient
import RerankdProtocol
import Synchronization
import TestSupport
import Testing

extension SystemTests {
  /// Several workers and one backend: its limits and its health are one for all of them.
  @Suite struct BackendTests {
    /// - Parameters:
    ///   - backend: further keys of the backend.
    ///   - queue: further keys of `queue.backends`, in place of the brisk ones.
    private func withHub(
      _ hub: FakeHub, workers: Int, backend: String, queue: String = "",
      tokens: TemporaryFolder? = nil,
      _ body: (RunningSystem, QueueClient) async throws -> Void
    ) async throws {
      let tokens = try tokens ?? TemporaryFolder("token")
      if !FileManager.default.fileExists(atPath: tokens.path("token")) {
        try tokens.writeSecret(FakeHub.token, to: "token")
      }
      let brisk = RunningSystem.briskTimes.replacing(
        "backends: {", with: queue.isEmpty ? "backends: {" : "backends: { \(queue), ")
      let configuration = """
        models:
          - { name: remote, backend: hub, served_name: fake-reranker, fallbacks: [builtin],
              golden_pair: false }
          - { name: builtin }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))",
              \(backend) }
        """
      try await RunningSystem.run(configuration: configuration + "\n" + brisk, workers: workers) {
        system in
        try await system.withClient { client in try await body(system, client) }
      }
    }

    private func hubStatus(_ client: QueueClient) async throws -> BackendStatus? {
      try await client.status().backends.first { $0.name == "hub" }
    }

    @Test func fourWorkersTogetherStayWithinTheLimits() async throws {
      let meter = RequestMeter(limit: 20, window: .seconds(2))
      let hub = try FakeHub(fallback: .chosen { meter.answer($0) })
      try await withHub(
        hub, workers: 4,
        backend: "requests_per_minute: 20, tokens_per_minute: 100000, concurrent_requests_max: 3",
        // Two seconds are this test's minute.
        queue: "rate_window: 2s, permit_valid: 200ms, permit_transit: 800ms"
      ) { system, client in
        var ids: [JobID] = []
        for _ in 0..<5 {
          ids += try await client.submit((0..<12).map { _ in try .make(model: "remote") }).map(\.id)
        }
        for id in ids {
          try await eventually("the end of job \(id)", timeout: .seconds(60)) {
            try await client.job(id).state.isTerminal
          }
          let job = try await client.job(id, withAttempts: true)
          #expect(job.state == .succeeded, "\(job.outcome.error.message)")
          #expect(job.attempts == 1)
        }
        #expect(meter.refused == 0)
        #expect(meter.most <= 20)
        #expect(hub.inFlightMax <= 3)
        #expect(hub.rerankCount == 60)
        // All of them had their share.
        let workers = try await client.workers()
        #expect(workers.count == 4 && workers.allSatisfy { $0.succeeded > 0 })
        let status = try #require(try await hubStatus(client))
        #expect(status.requests == 60 && status.rateLimited == 0 && status.state == .open)
      }
    }

    @Test func refusedCredentialsSpendNoAttemptAndAllGoesOnWhenTheyAreRenewed() async throws {
      let hub = try FakeHub()
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret("outdated", to: "token")
      hub.accept(token: "outdated")
      try await withHub(
        hub, workers: 2, backend: "credentials_pause: 1h, credentials_poll: 50ms", tokens: tokens
      ) { system, client in
        // A worker whose credentials are refused from the start offers no model, and gets no job.
        try await eventually("both workers' models") {
          try await client.models().first { $0.name == "remote" }?.workers == 2
        }
        hub.accept(token: "fresh")
        let jobs = try (0..<20).map { _ in
          try RerankJob.make(model: "remote") { $0.spec.maxAttempts = 1 }
        }
        let ids = try await client.submit(jobs).map(\.id)
        try await eventually("the refusal") {
          try await hubStatus(client)?.state == .credentialsRefused
        }
        let refused = try #require(try await hubStatus(client))
        #expect(refused.reason.contains("401"))
        let listed = try await system.control(["backends", "list", "--output", "json"])
        #expect(listed.output.contains("credentials refused"))
        try tokens.writeSecret("fresh", to: "token")
        for id in ids {
          try await eventually("the success of job \(id)", timeout: .seconds(60)) {
            try await client.job(id).state == .succeeded
          }
        }
        #expect(try await hubStatus(client)?.state == .open)
      }
    }

    @Test func scoresThatWerePaidForOutliveAKilledQueue() async throws {
      let outage = Outage()
      let hub = try FakeHub(fallback: .chosen { outage.answer($0) })
      try await withHub(
        hub, workers: 1, backend: "documents_max: 2, concurrent_requests_max: 1"
      ) { system, client in
        let documents = ["alpha one", "alpha two", "beta one", "beta two", "gamma", "delta"]
        let id = try await client.submit([.make(documents: documents, model: "remote")])[0].id
        try await eventually("scores that are kept") {
          try await client.status().counters.partialScoresKept > 0
        }
        try await system.kill("queue")
        outage.end()
        try await system.startQueue()
        try await eventually("the success of the job", timeout: .seconds(60)) {
          try await client.job(id).state == .succeeded
        }
        let outcome = try await client.job(id).outcome
        #expect(try outcome.rankedResult().results.count == 6)
        #expect(outage.paid == 1)
      }
    }

    @Test func fallbackScoresWhereAJobAllowsItAndTheBackendIsAway() async throws {
      let hub = try FakeHub()
      try await withHub(hub, workers: 1, backend: "credentials_pause: 1h") { system, client in
        #expect(try await system.control(["backends", "pause", "hub"]).exit == .status(0))
        let strict = try await client.submit([.make(model: "remote")])[0].id
        let outcome = try await client.rerank(
          .make(model: "remote") { $0.spec.allowFallback = true })
        #expect(outcome.state == .succeeded)
        #expect(try outcome.rankedResult().engine == "embedded")
        #expect(try outcome.rankedResult().model == "builtin")
        #expect(try await client.job(strict).state == .ready)
        #expect(hub.rerankCount == 0)
        let status = try await system.control(["status"])
        #expect(status.output.contains("paused by an operator"))
        #expect(try await system.control(["backends", "resume", "hub"]).exit == .status(0))
        try await eventually("the success of the other job") {
          try await client.job(strict).state == .succeeded
        }
        let other = try await client.job(strict).outcome
        #expect(try other.rankedResult().engine == "hub")
        #expect(try await system.control(["backends", "pause", "nobody"]).exit != .status(0))
      }
    }
  }
}

/// Scores documents that say "alpha", and others when the outage is over.
private final class Outage: Sendable {
  private let state = Mutex((isOver: false, paid: 0))

  /// How often "alpha" was scored.
  var paid: Int { state.withLock(\.paid) }

  func end() { state.withLock { $0.isOver = true } }

  func answer(_ request: FakeHub.Request) -> FakeHub.Answer {
    state.withLock { state in
      if request.body.contains("alpha") {
        state.paid += 1
        return .scores
      }
      return state.isOver ? .scores : .unavailable
    }
  }
}

/// Counts requests in a sliding window, as a backend with a limit does, and refuses what is over
/// it.
private final class RequestMeter: Sendable {
  private struct State {
    var times: [ContinuousClock.Instant] = []
    var refused = 0
    var most = 0
  }

  private let limit: Int
  private let window: Duration
  private let state = Mutex(State())

  init(limit: Int, window: Duration) {
    self.limit = limit
    self.window = window
  }

  var refused: Int { state.withLock(\.refused) }
  /// In any window.
  var most: Int { state.withLock(\.most) }

  func answer(_ request: FakeHub.Request) -> FakeHub.Answer {
    state.withLock { state in
      state.times.removeAll { $0 < request.receivedAt - window }
      state.times.append(request.receivedAt)
      state.most = max(state.most, state.times.count)
      guard state.times.count <= limit else {
        state.refused += 1
        return .tooManyRequests(retryAfter: "2")
      }
      // As long as an answer takes, so that requests overlap.
      return .delayed(.milliseconds(100))
    }
  }
}
