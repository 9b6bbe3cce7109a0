import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// The gateway as its clients meet it: over HTTP, with queue and worker behind it.
  @Suite(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: RunningGateway.curl),
      "curl is missing: deploy/prerequisites --tests"))
  struct GatewayTests {
    private let request = #"""
      {"model":"builtin","query":"What is the capital of France?",
       "documents":["Bread is made of flour.","Paris is the capital of France."]}
      """#

    @Test func curlIsAnsweredAsByTheHub() async throws {
      try await RunningSystem.run { system in
        let gateway = try await system.startGateway()
        let reply = try await gateway.curl("/v1/rerank", json: request)
        #expect(reply.status == 200)
        let results = try #require(try reply.json()["results"] as? [[String: Any]])
        #expect(results.map { $0["index"] as? Int } == [1, 0])
        #expect(
          (results.first?["document"] as? [String: Any])?["text"] as? String
            == "Paris is the capital of France.")
        #expect(try await gateway.curl("/health/ready").status == 200)
        #expect(
          try await system.scrape("gateway").contains(
            #"rerankd_gateway_requests_total{route="/v1/rerank",status="200"} 1"#))
      }
    }

    @Test func aJobIsSubmittedLookedAtAndKeptByItsKey() async throws {
      try await RunningSystem.run { system in
        let gateway = try await system.startGateway()
        var ids: Set<String> = []
        for _ in 0..<2 {
          let reply = try await gateway.curl(
            "/v1/jobs", json: request, headers: ["Idempotency-Key: k1"])
          #expect(reply.status == 202)
          ids.insert(try #require(try reply.json()["id"] as? String))
        }
        let id = try #require(ids.first)
        #expect(ids.count == 1)
        try await eventually("the job's success") {
          try await gateway.curl("/v1/jobs/\(id)").json()["status"] as? String == "succeeded"
        }
        let result = try #require(
          try await gateway.curl("/v1/jobs/\(id)").json()["result"] as? [String: Any])
        #expect((result["results"] as? [[String: Any]])?.first?["index"] as? Int == 1)
        let other = request.replacingOccurrences(of: "Bread", with: "Cake")
        let conflict = try await gateway.curl(
          "/v1/jobs", json: other, headers: ["Idempotency-Key: k1"])
        #expect(conflict.status == 409)
      }
    }

    @Test func aRequestOutlivesARestartOfTheQueue() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let gateway = try await system.startGateway()
        let curl = try ChildProcess(
          RunningGateway.curl,
          arguments: gateway.arguments(
            "/v1/rerank", json: request, headers: ["X-Request-Timeout: 80"]))
        try await waitForJob(in: system, .ready)
        try await system.kill("queue")
        try await system.startQueue()
        try system.startWorker("w0")
        let reply = try await RunningGateway.reply(curl)
        #expect(reply.status == 200, "\(reply.body)")
        try await system.withClient { client in
          let jobs = try await client.jobs(.init()).jobs
          #expect(jobs.count == 1)
        }
      }
    }

    @Test func aClientThatGoesAwayEndsItsOwnJobAlone() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let gateway = try await system.startGateway()
        for (headers, end) in [([], JobState.cancelled), (["Idempotency-Key: mine"], .ready)] {
          let curl = try ChildProcess(
            RunningGateway.curl,
            arguments: gateway.arguments("/v1/rerank", json: request, headers: headers))
          try await waitForJob(in: system, .ready)
          curl.signal(SIGKILL)
          _ = try await curl.waitForExit()
          try await eventually("the gateway's notice of it") {
            try await system.scrape("gateway").contains(
              "status=\"499\"} \(end == .cancelled ? 1 : 2)")
          }
          try await waitForJob(in: system, end)
        }
      }
    }

    @Test func aDeadlineEndsRequestAndJob() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let gateway = try await system.startGateway()
        let reply = try await gateway.curl(
          "/v1/rerank", json: request, headers: ["X-Request-Timeout: 0.3"])
        #expect(reply.status == 504)
        try await waitForJob(in: system, .expired)
      }
    }

    /// That the newest job is in this state.
    private func waitForJob(in system: RunningSystem, _ state: JobState) async throws {
      try await system.withClient { client in
        try await eventually("a job that is \(state)") {
          try await client.jobs(.init()).jobs.first?.state == state
        }
      }
    }

    @Test func jobsBelongToTheTokensTenant() async throws {
      try await RunningSystem.run { system in
        let gateway = try await system.startGateway(tenant: "blue")
        #expect(try await gateway.curl("/v1/rerank", json: request).status == 200)
        try await system.withClient { client in
          let job = try #require(try await client.jobs(.init()).jobs.first)
          #expect(job.spec.tenant == "blue")
          // Another tenant's is none.
          let id = try await client.submit([.make()])[0].id
          #expect(try await gateway.curl("/v1/jobs/\(id)").status == 404)
        }
      }
    }

    @Test func settingsThatWouldLetAnybodyInAreRefused() async throws {
      let system = try RunningSystem()
      let open = try system.start("open", ["gateway", "--listen", "0.0.0.0:0"])
      #expect(try await open.waitForExit() == .status(78))
      #expect(open.text(of: .error).contains("gateway.token_file"))
      try system.folder.write("", to: "tokens")
      #expect(chmod(system.folder.path("tokens"), 0o644) == 0)
      let readable = try system.start(
        "readable",
        ["gateway", "--listen", "127.0.0.1:0", "--token-file", system.folder.path("tokens")])
      #expect(try await readable.waitForExit() == .status(78))
      #expect(readable.text(of: .error).contains("chmod 600"))
    }

    @Test(
      .enabled(
        if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "openssl is missing"))
    func tlsIsServedWithTheGivenCertificate() async throws {
      let folder = try TemporaryFolder("tls")
      let (certificate, key) = (folder.path("cert.pem"), folder.path("key.pem"))
      let openssl = try ChildProcess(
        "/usr/bin/openssl",
        arguments: [
          "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
          "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ])
      #expect(try await openssl.waitForExit() == .status(0))
      let configuration =
        RunningSystem.briskTimes
        + "\ngateway:\n  tls: { certificate_file: \(certificate), key_file: \(key) }\n"
      try await RunningSystem.run(configuration: configuration) { system in
        var gateway = try await system.startGateway()
        gateway.scheme = "https"
        let reply = try await gateway.curl(
          "/v1/rerank", json: request, options: ["--cacert", certificate])
        #expect(reply.status == 200)
        await #expect(throws: TimeoutError.self) { try await gateway.curl("/health/live") }
      }
    }

    @Test func aGatewayThatIsAskedToEndFinishesWhatItHas() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let gateway = try await system.startGateway()
        let curl = try ChildProcess(
          RunningGateway.curl, arguments: gateway.arguments("/v1/rerank", json: request))
        try await waitForJob(in: system, .ready)
        gateway.process.signal(SIGTERM)
        try system.startWorker("w0")
        #expect(try await RunningGateway.reply(curl).status == 200)
        #expect(try await gateway.process.waitForExit() == .status(0))
      }
    }

    /// Worker A asks the gateway as it would ask a hub; behind the gateway, worker B has the
    /// engine.
    @Test func aWholeCircleRanksAsTheEngineDoes() async throws {
      try await RunningSystem.run { inner in
        let gateway = try await inner.startGateway()
        try inner.folder.writeSecret(RunningGateway.token, to: "token")
        let configuration = """
          models:
            - { name: circle, backend: gateway, served_name: builtin, context_tokens: 512, reserved_tokens: 4 }
          backends:
            - { name: gateway, base_url: "\(gateway.baseURL)", token_file: "\(inner.folder.path("token"))" }
          """
        try await RunningSystem.run(
          configuration: configuration + "\n" + RunningSystem.briskTimes
        ) { outer in
          let request = RerankRequest(
            query: "how do glaciers move?",
            documents: [
              "Glass is made of sand.", "Ice deforms under its own weight and slides over its bed.",
              "The bed of a river is shaped by water.", "Glaciers carve valleys as they move.",
            ])
          let around = try await outer.withClient { client in
            try await client.rerank(request, model: "circle")
          }
          let direct = try await inner.withClient { client in
            try await client.rerank(request, model: "builtin")
          }
          #expect(around.results.map(\.index) == direct.results.map(\.index))
          for (far, near) in zip(around.results, direct.results) {
            #expect(abs(far.relevanceScore - near.relevanceScore) < 1e-6)
          }
          #expect(around.engine == "gateway")
          #expect(direct.engine == "embedded")
        }
      }
    }
  }
}
