import Foundation
import NIOHTTP1
import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import TestSupport
import Testing

@testable import GatewayRole

/// What a token lets its client do, and see.
@Suite struct TokenRouteTests {
  private func withTokens(
    _ queue: StubQueue = StubQueue(),
    configure: @escaping (inout GatewayConfiguration) -> Void = { _ in },
    _ body: (RunningGateway) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder("tokens")
    let tokens = [
      AccessToken(
        name: "all", secret: "s-all", tenant: "red", models: nil, requestsPerMinute: nil),
      AccessToken(
        name: "one", secret: "s-one", tenant: "blue", models: ["m"], requestsPerMinute: nil),
      AccessToken(
        name: "slow", secret: "s-slow", tenant: "red", models: nil, requestsPerMinute: 2),
    ]
    try folder.write(tokens.map(\.line).joined(separator: "\n"), to: "tokens")
    let path = folder.path("tokens")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    try await RunningGateway.run(
      queue,
      configure: {
        $0.tokenFile = path
        configure(&$0)
      }, body)
  }

  private func bearer(_ secret: String) -> [(String, String)] {
    [("Authorization", "Bearer \(secret)")]
  }

  @Test func everyRouteButHealthAsksForAToken() async throws {
    try await withTokens { gateway in
      let routes: [(String, String?)] = [
        ("/v1/models", nil), ("/v1/jobs/0-1", nil),
        ("/v1/rerank", RunningGateway.request), ("/rerank", RunningGateway.request),
        ("/v2/rerank", RunningGateway.request), ("/v1/jobs", RunningGateway.request),
        ("/v1/tokenize/budget", RunningGateway.request),
      ]
      for (path, body) in routes {
        let reply = try await gateway.send(body == nil ? .GET : .POST, path, body)
        #expect(reply.status == 401, "\(path)")
        #expect(reply.headers.first(name: "www-authenticate") == "Bearer")
      }
      #expect(try await gateway.send(.GET, "/health/live").status == 200)
      #expect(try await gateway.send(.GET, "/health/ready").status == 200)
      for secret in ["", "s-al", "s-all-", "S-ALL"] {
        #expect(
          try await gateway.send(.GET, "/v1/models", headers: bearer(secret)).status == 401)
      }
      #expect(try await gateway.send(.GET, "/v1/models", headers: bearer("s-all")).status == 200)
    }
  }

  @Test func otherModelsDoNotExist() async throws {
    let queue = StubQueue()
    try await withTokens(queue) { gateway in
      let models = try await gateway.send(.GET, "/v1/models", headers: bearer("s-one")).json()
      #expect((models["data"] as? [[String: Any]])?.map { $0["id"] as? String } == ["m"])
      let other = #"{"model":"other","query":"q","documents":["a"]}"#
      for path in ["/v1/rerank", "/v2/rerank", "/v1/jobs", "/v1/tokenize/budget"] {
        #expect(try await gateway.send(.POST, path, other, headers: bearer("s-one")).status == 404)
      }
      #expect(queue.reranks.isEmpty)
      #expect(
        try await gateway.send(.POST, "/v1/rerank", other, headers: bearer("s-all")).status == 200)
      #expect(queue.reranks.map(\.job.spec.tenant) == ["red"])
    }
  }

  @Test func requestsBeyondTheRateWait() async throws {
    try await withTokens { gateway in
      for _ in 0..<2 {
        #expect(
          try await gateway.send(.GET, "/v1/models", headers: bearer("s-slow")).status == 200)
      }
      let reply = try await gateway.send(.GET, "/v1/models", headers: bearer("s-slow"))
      #expect(reply.status == 429)
      let wait = try #require(reply.headers.first(name: "retry-after").flatMap { Int($0) })
      #expect((1...30).contains(wait))
      #expect(try await gateway.send(.GET, "/v1/models", headers: bearer("s-all")).status == 200)
    }
  }

  @Test func jobsAreTheirTenantsAlone() async throws {
    let queue = StubQueue()
    let outcome = try await StubQueue.ranked(
      try RerankJob(RerankRequest(query: "q", documents: ["a", "b"]), model: "m"))
    var details = JobDetails()
    details.jobID = 5
    details.state = .succeeded
    details.spec.model = "m"
    details.spec.tenant = "red"
    details.request = try RerankRequest(query: "q", documents: ["a", "b"]).serializedData()
    details.outcome = outcome
    queue.add(details)
    try await withTokens(queue) { gateway in
      let mine = try await gateway.send(.GET, "/v1/jobs/0-5", headers: bearer("s-all")).json()
      #expect(mine["status"] as? String == "succeeded")
      let result = try #require(mine["result"] as? [String: Any])
      let results = try #require(result["results"] as? [[String: Any]])
      #expect(results.map { ($0["document"] as? [String: Any])?["text"] as? String } == ["b", "a"])
      let bare = try await gateway.send(
        .GET, "/v1/jobs/0-5?return_documents=false", headers: bearer("s-all")
      ).json()
      let bareResults = (bare["result"] as? [String: Any])?["results"] as? [[String: Any]]
      #expect(bareResults?.count == 2)
      #expect(bareResults?.allSatisfy { $0["document"] == nil } == true)
      for path in ["/v1/jobs/0-5", "/v1/jobs/0-6", "/v1/jobs/x"] {
        #expect(try await gateway.send(.GET, path, headers: bearer("s-one")).status == 404)
        #expect(try await gateway.send(.DELETE, path, headers: bearer("s-one")).status == 404)
      }
      #expect(queue.cancelled.isEmpty)
      let deleted = try await gateway.send(.DELETE, "/v1/jobs/0-5", headers: bearer("s-all"))
      #expect(deleted.status == 200)
      #expect(queue.cancelled == [JobID(rawValue: 5)])
    }
  }

  @Test func aSubmittedJobIsAcceptedUnderItsKey() async throws {
    let queue = StubQueue()
    try await withTokens(queue) { gateway in
      let reply = try await gateway.send(
        .POST, "/v1/jobs", RunningGateway.request,
        headers: bearer("s-one") + [("Idempotency-Key", "k-1"), ("X-Request-Timeout", "3600")])
      #expect(reply.status == 202)
      #expect(reply.headers.first(name: "location") == "/v1/jobs/0-1")
      #expect(try reply.json()["id"] as? String == "0-1")
      let job = try #require(queue.submitted.first)
      #expect(job.spec.idempotencyKey == "k-1")
      #expect(job.spec.tenant == "blue")
      #expect(job.spec.deadlineMs == 3_600_000)
      let long = String(repeating: "k", count: 257)
      let refused = try await gateway.send(
        .POST, "/v1/jobs", RunningGateway.request,
        headers: bearer("s-one") + [("Idempotency-Key", long)])
      #expect(refused.status == 400)
    }
  }

  @Test func readyMeansThatTheQueueAnswers() async throws {
    let away = StubQueue(modelsError: CallError(.unavailable, "no queue"))
    try await RunningGateway.run(away) { gateway in
      #expect(try await gateway.send(.GET, "/health/live").status == 200)
      let reply = try await gateway.send(.GET, "/health/ready")
      #expect(reply.status == 503)
      #expect(try reply.error()["code"] as? String == "unavailable")
    }
  }
}
