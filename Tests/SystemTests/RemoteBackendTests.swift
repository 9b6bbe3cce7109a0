import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// A rerank API that fails in every way that its operators know, and what becomes of the jobs.
  @Suite struct RemoteBackendTests {
    private func withHub(
      backend: String = "", _ body: (FakeHub, RunningSystem, QueueClient) async throws -> Void
    ) async throws {
      let hub = try FakeHub()
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret(FakeHub.token, to: "token")
      let configuration = """
        models:
          - { name: remote, backend: hub, served_name: fake-reranker, context_tokens: 1000,
              golden_pair: false }
          - { name: other, backend: hub, served_name: absent-there }
          - { name: builtin }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))",
              credentials_pause: 200ms\(backend) }
        """
      try await RunningSystem.run(configuration: configuration + "\n" + RunningSystem.briskTimes) {
        system in
        try await system.withClient { client in try await body(hub, system, client) }
      }
    }

    private func details(_ outcome: JobOutcome, _ client: QueueClient) async throws -> JobDetails {
      try await client.job(JobID(rawValue: outcome.jobID), withAttempts: true)
    }

    @Test func serverErrorsAreTriedAgainAndStayInTheHistory() async throws {
      try await withHub { hub, _, client in
        // In each attempt the documents are cleared of it by the control pair, which fails as well.
        hub.script(Array(repeating: .internalError, count: 4))
        let outcome = try await client.rerank(.make(model: "remote"))
        #expect(outcome.state == .succeeded)
        #expect(try outcome.ranking == [0, 1])
        #expect(outcome.attempts == 3)
        let job = try await details(outcome, client)
        #expect(job.attemptRecords.map(\.end) == [.failed, .failed, .succeeded])
        #expect(job.attemptRecords[0].code == StatusCode.internal.rawValue)
        #expect(job.attemptRecords[0].message.contains("answered 500"))
        #expect(hub.rerankCount == 5)
      }
    }

    @Test func refusedCredentialsRestTheModelAndSpendNoAttempt() async throws {
      let tokens = try TemporaryFolder("token")
      let hub = try FakeHub()
      try tokens.writeSecret("outdated", to: "token")
      // The list of models is behind the token as well, so it starts with the right one.
      hub.accept(token: "outdated")
      let configuration = """
        models:
          - { name: remote, backend: hub, served_name: fake-reranker }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))",
              credentials_pause: 200ms }
        """
      try await RunningSystem.run(configuration: configuration + "\n" + RunningSystem.briskTimes) {
        system in
        try await system.withClient { client in
          hub.accept(token: "fresh")
          // One attempt is all it has.
          let id = try await client.submit([
            .make(model: "remote") { $0.spec.maxAttempts = 1 }
          ])[0].id
          try await eventually("a rest of the model") {
            let model = try await client.status().models.first { $0.model.name == "remote" }
            return model.map { $0.pausedMs > 0 && $0.pauseReason.contains("401") } ?? false
          }
          #expect(try await !client.job(id).state.isTerminal)
          try tokens.writeSecret("fresh", to: "token")
          try await eventually("the success of the job") {
            try await client.job(id).state == .succeeded
          }
          let job = try await client.job(id, withAttempts: true)
          #expect(job.attemptRecords.first?.code == StatusCode.unauthenticated.rawValue)
          let said = job.attemptRecords.map(\.message).joined()
          let log = try system.process("w0").text(of: .error)
          #expect(!(said + log).contains("outdated"))
        }
      }
    }

    @Test func whatNoRetryCanHelpIsDeadAtOnce() async throws {
      try await withHub { hub, _, client in
        hub.script([.notFound])
        let outcome = try await client.rerank(.make(model: "remote"))
        #expect(outcome.state == .dead)
        #expect(outcome.error.code == StatusCode.notFound.rawValue)
        #expect(outcome.error.message.contains("answered 404"))
        #expect(outcome.attempts == 1)
        #expect(hub.rerankCount == 1)
        #expect(try await client.rerank(.make(model: "remote")).state == .succeeded)
      }
    }

    @Test func noAttemptComesBeforeTheBackendSaysSo() async throws {
      try await withHub { hub, _, client in
        hub.script([.tooManyRequests(retryAfter: "2")])
        let outcome = try await client.rerank(.make(model: "remote"))
        #expect(outcome.state == .succeeded)
        #expect(outcome.attempts == 2)
        let times = hub.requests.filter { $0.path == "/v1/rerank" }.map(\.receivedAt)
        try #require(times.count == 2)
        #expect(times[0].duration(to: times[1]) >= .seconds(2))
      }
    }

    @Test func aRetryBeyondTheDeadlineEndsTheJobAtOnce() async throws {
      try await withHub { hub, _, client in
        hub.script([.tooManyRequests(retryAfter: "3600")])
        let start = ContinuousClock.now
        let outcome = try await client.rerank(
          .make(model: "remote") { $0.spec.deadlineMs = 600_000 })
        #expect(start.duration(to: .now) < .seconds(60))
        #expect(outcome.state == .dead)
        #expect(outcome.error.code == StatusCode.deadlineExceeded.rawValue)
        #expect(outcome.error.message.contains("answered 429"))
        #expect(hub.rerankCount == 1)
      }
    }

    @Test func aHungBackendCostsAnAttemptAndNoJob() async throws {
      try await withHub(backend: ", response_timeout: 1s") { hub, _, client in
        hub.script([.hang, .resetInBody])
        let outcome = try await client.rerank(.make(model: "remote"))
        #expect(outcome.state == .succeeded)
        let job = try await details(outcome, client)
        #expect(job.attemptRecords.map(\.end) == [.failed, .failed, .succeeded])
        #expect(job.attemptRecords[0].code == StatusCode.deadlineExceeded.rawValue)
        #expect(job.attemptRecords[0].message.contains("did not answer"))
        #expect(job.workersLost == 0)
      }
    }

    @Test func whatExceedsTheTokenBudgetNeverReachesTheBackend() async throws {
      try await withHub { hub, _, client in
        let long = String(repeating: "glacier ", count: 5_000)
        let outcome = try await client.rerank(
          .make(documents: ["short", long], model: "remote"))
        #expect(outcome.state == .dead)
        #expect(outcome.error.code == StatusCode.invalidArgument.rawValue)
        #expect(outcome.error.message.contains("document 1 makes a pair of"))
        #expect(hub.rerankCount == 0)

        var request = RerankRequest(query: "q", documents: ["short", long])
        request.overBudget = .truncate
        let truncated = try await client.rerank(request, model: "remote")
        #expect(truncated.truncatedDocuments == [1])
        #expect(hub.rerankCount == 1)
      }
    }
  }
}
