import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// A backend behind a network that fails in every way that networks do, and what becomes of the
  /// jobs, of the backend's standing with the queue, and of what was paid for.
  @Suite struct BackendFaultTests {
    /// What the tests have in hand.
    private struct Setting {
      let hub: FakeHub
      let proxy: FaultProxy
      let system: RunningSystem
      let client: QueueClient

      var backend: BackendStatus {
        get async throws {
          try #require(try await client.status().backends.first { $0.name == "hub" })
        }
      }

      func submit(_ count: Int, documents: [String] = ["a", "b"]) async throws -> [JobID] {
        try await client.submit(
          (0..<count).map { _ in try .make(documents: documents, model: "remote") }
        ).map(\.id)
      }

      func ends(_ ids: [JobID]) async throws -> [JobDetails] {
        for id in ids {
          try await eventually("the end of job \(id)", timeout: .seconds(60)) {
            try await client.job(id).state.isTerminal
          }
        }
        var jobs: [JobDetails] = []
        for id in ids { jobs.append(try await client.job(id, withAttempts: true)) }
        return jobs
      }
    }

    /// Leases that nothing loses on a busy machine, so that each loss counts.
    private static let patient = RunningSystem.briskTimes
      .replacing("lease: 3s, reattach_grace: 2s", with: "lease: 60s, reattach_grace: 30s")

    /// - Parameters:
    ///   - backend: further keys of the backend.
    ///   - times: in place of the patient ones.
    private func withProxy(
      workers: Int = 1, backend: String, times: String = patient,
      _ body: (Setting) async throws -> Void
    ) async throws {
      let hub = try FakeHub()
      let proxy = try FaultProxy(before: hub.port)
      let tokens = try TemporaryFolder("token")
      let configuration = try proxy.configuration(tokens, backend: backend)
      try await RunningSystem.run(configuration: configuration + "\n" + times, workers: workers) {
        system in
        try await system.withClient { client in
          // Who cannot reach the backend at the start offers no model of it.
          try await eventually("the workers' models") {
            try await client.models().first { $0.name == "remote" }?.workers == UInt32(workers)
          }
          try await body(
            Setting(hub: hub, proxy: proxy, system: system, client: client))
        }
      }
      proxy.stop()
    }

    /// What the attempts say that meet it, and whether their requests arrive.
    private struct Fault {
      var conditions: NetworkConditions
      var said = "cannot be reached"
      var lets = false
    }

    private static let faults = [
      Fault(conditions: .init(entrance: .refused)),
      Fault(conditions: .init(entrance: .reset)),
      Fault(conditions: .init(entrance: .blackHole), said: "did not answer in time"),
      Fault(conditions: .init(cut: .init(.request, afterBytes: 100, by: .reset))),
      Fault(conditions: .init(cut: .init(.answer, afterBytes: 20, by: .reset)), lets: true),
      Fault(conditions: .init(cut: .init(.answer, afterBytes: 150, by: .reset)), lets: true),
      Fault(conditions: .init(cut: .init(.answer, afterBytes: 150, by: .close)), lets: true),
    ]

    @Test func everyFaultOfTheNetworkCostsAttemptsAndNoJob() async throws {
      try await withProxy(backend: "response_timeout: 1s, connect_timeout: 1s") { setting in
        for fault in Self.faults {
          let paid = setting.hub.rerankCount
          setting.proxy.conditions = fault.conditions
          let id = try await setting.submit(1)[0]
          try await eventually("an attempt that met \(fault)") {
            try await setting.client.job(id, withAttempts: true).attemptRecords
              .contains { $0.end == .failed }
          }
          setting.proxy.conditions = .clear
          let job = try await setting.ends([id])[0]
          #expect(job.state == .succeeded && job.workersLost == 0)
          let ends = job.attemptRecords.map(\.end)
          #expect(ends.last == .succeeded, "\(fault): \(job.attemptRecords)")
          let failed = job.attemptRecords.filter { $0.end == .failed }
          #expect(failed.allSatisfy { $0.message.contains(fault.said) }, "\(failed)")
          // Nobody tries again behind the ledger's back, and what never arrived was not paid for.
          #expect(
            setting.hub.rerankCount - paid == (fault.lets ? failed.count : 0) + 1,
            "\(fault): \(job.attemptRecords)")
        }
        #expect(setting.proxy.counts.resets > 4 && setting.proxy.counts.closes > 0)
        #expect(setting.proxy.counts.swallowed > 0)
      }
    }

    @Test func slowNetworkCostsNoAttemptAndNoLease() async throws {
      let brief = RunningSystem.briskTimes.replacing("lease: 3s", with: "lease: 5s")
      try await withProxy(backend: "response_timeout: 60s", times: brief) { setting in
        // An answer takes more than two leases.
        setting.proxy.conditions = .init(
          latency: .seconds(3), jitter: .seconds(1), bytesPerSecond: 150)
        for job in try await setting.ends(setting.submit(4)) {
          #expect(job.attemptRecords.map(\.end) == [.succeeded], "\(job.attemptRecords)")
        }
        #expect(setting.hub.rerankCount == 4)
        #expect(try await setting.client.status().counters.leasesLost == 0)
        #expect(try await setting.backend.unavailable == 0)
      }
    }

    @Test func backendThatIsAwayIsLeftAloneAndFoundAgain() async throws {
      try await withProxy(workers: 2, backend: "connect_timeout: 1s") { setting in
        setting.proxy.conditions = .init(entrance: .reset)
        let ids = try await setting.submit(40)
        try await eventually("a rest of the backend") {
          try await setting.backend.state == .resting
        }
        #expect(try await setting.backend.reason.contains("cannot be reached"))
        // Others have nothing to do with it.
        #expect(try await setting.client.rerank(.make()).state == .succeeded)
        try await eventually("the end of what was under way") {
          try await setting.backend.requestsUnderWay == 0
        }
        let failedAtFirst = try await setting.backend.unavailable
        try await eventually("two looks at it") {
          try await setting.backend.unavailable >= failedAtFirst + 2
        }
        setting.proxy.conditions = .clear
        let jobs = try await setting.ends(ids)
        #expect(jobs.allSatisfy { $0.state == .succeeded && $0.workersLost == 0 })
        let backend = try await setting.backend
        #expect(backend.state == .open)
        // An attempt was spent for each request that failed, and none without one.
        let spent = jobs.reduce(0) { $0 + Int($1.attemptsSpent) }
        #expect(spent - ids.count == Int(backend.unavailable))
        #expect(setting.hub.rerankCount == ids.count)
      }
    }

    @Test func answerThatWasCutOffIsAllThatIsPaidForTwice() async throws {
      try await withProxy(backend: "documents_max: 1, concurrent_requests_max: 1") { setting in
        let before = setting.proxy.counts.answerBytes
        #expect(try await setting.ends(setting.submit(1, documents: ["a"]))[0].state == .succeeded)
        let answer = setting.proxy.counts.answerBytes - before
        // The third answer is cut off in its middle.
        setting.proxy.conditions = .init(
          cut: .init(.answer, afterBytes: answer * 5 / 2, by: .reset))
        let id = try await setting.submit(1, documents: ["a", "b", "c", "d", "e", "f"])[0]
        try await eventually("the failed attempt") {
          try await setting.client.job(id, withAttempts: true).attemptRecords
            .contains { $0.end == .failed }
        }
        setting.proxy.conditions = .clear
        let job = try await setting.ends([id])[0]
        #expect(job.state == .succeeded)
        #expect(try job.outcome.rankedResult().results.count == 6)
        let cut = setting.proxy.counts.resets
        #expect(cut > 0)
        #expect(setting.hub.rerankCount == 1 + 6 + cut)
      }
    }

    @Test func hourOfRestIsKeptWithoutAnAttemptAndEndedByAnOperator() async throws {
      try await withProxy(backend: "concurrent_requests_max: 1") { setting in
        let (hub, client, system) = (setting.hub, setting.client, setting.system)
        hub.fallback = .tooManyRequests(retryAfter: "3600")
        let asked = try await client.submit([
          .make(model: "remote") { $0.spec.deadlineMs = 86_400_000 }
        ])[0].id
        try await eventually("the rest of the backend") {
          try await setting.backend.state == .resting
        }
        try await eventually("the end of the attempt") {
          try await client.job(asked).state == .delayed
        }
        let resting = try await setting.backend
        #expect((3_500_000...3_600_000).contains(resting.restingMs), "\(resting)")
        #expect(resting.reason.contains("answered 429"))
        // What comes now waits, and costs nothing.
        let waiting = try await setting.submit(10)
        #expect(try await client.rerank(.make()).state == .succeeded)
        let status = try await system.control(["status"])
        #expect(status.output.contains("resting") && status.output.contains("429"))
        for id in waiting {
          let job = try await client.job(id, withAttempts: true)
          #expect(job.state == .ready && job.attemptsSpent == 0 && job.attemptRecords.isEmpty)
        }
        #expect(hub.rerankCount == 1)
        // Who knows better says so.
        hub.fallback = .scores
        #expect(try await system.control(["backends", "resume", "hub"]).exit == .status(0))
        for job in try await setting.ends(waiting) {
          #expect(job.attemptRecords.map(\.end) == [.succeeded])
        }
        #expect(
          try await setting.ends([asked])[0].attemptRecords.map(\.end) == [.failed, .succeeded])
        #expect(hub.rerankCount == 1 + 1 + 10)
      }
    }
  }
}

extension FaultProxy {
  /// The models `remote`, of the hub behind the proxy, and `builtin`.
  ///
  /// - Parameters:
  ///   - tokens: where the hub's token lies from then on.
  ///   - backend: further keys of the backend.
  func configuration(_ tokens: TemporaryFolder, backend: String) throws -> String {
    try tokens.writeSecret(FakeHub.token, to: "token")
    return """
      models:
        - { name: remote, backend: hub, served_name: fake-reranker, golden_pair: false }
        - { name: builtin }
      backends:
        - { name: hub, base_url: "\(baseURL)", token_file: "\(tokens.path("token"))",
            \(backend) }
      """
  }
}
