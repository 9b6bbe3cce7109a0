import Foundation
import NIOHTTP1
import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import TestSupport
import Testing

@testable import GatewayRole

/// What the page has the queues do, and for whom.
@Suite struct PageControlTests {
  private static let page = [("X-Rerankd-Page", "1")]

  private func withTokens(
    _ queue: StubOperatedQueue, _ body: (RunningGateway) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder("tokens")
    let tokens = [
      AccessToken(
        name: "boss", secret: "s-boss", tenant: "ops", models: nil, requestsPerMinute: 3,
        isOperator: true),
      AccessToken(
        name: "shop", secret: "s-shop", tenant: "red", models: nil, requestsPerMinute: nil),
    ]
    try folder.write(tokens.map(\.line).joined(separator: "\n"), to: "tokens")
    let path = folder.path("tokens")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    try await RunningGateway.run(operated: [queue], configure: { $0.tokenFile = path }, body)
  }

  private func bearer(_ secret: String) -> [(String, String)] {
    Self.page + [("Authorization", "Bearer \(secret)")]
  }

  private func status(
    _ gateway: RunningGateway, _ call: String, _ body: String = "{}"
  ) async throws -> Int {
    try await gateway.send(.POST, "/ui/api/control/\(call)", body, headers: Self.page).status
  }

  @Test func aTokenWithoutTheScopeHasThePlaygroundAlone() async throws {
    let queue = StubOperatedQueue()
    try await withTokens(queue) { gateway in
      #expect(try await gateway.send(.GET, "/ui/").status == 200)
      for (path, body) in [
        ("/ui/api/status", nil), ("/ui/api/jobs/0-1", nil),
        ("/ui/api/control/ListJobs", "{}"), ("/ui/api/control/SetPaused", "{}"),
      ] {
        let nobody = try await gateway.send(
          body == nil ? .GET : .POST, path, body, headers: Self.page)
        #expect(nobody.status == 401, "\(path)")
        let shop = try await gateway.send(
          body == nil ? .GET : .POST, path, body, headers: bearer("s-shop"))
        #expect(shop.status == 403, "\(path)")
        #expect(try shop.error()["code"] as? String == "not_an_operator")
      }
      #expect(!queue.calls.contains { $0.hasPrefix("jobs") || $0.hasPrefix("paused") })
      #expect(
        try await gateway.send(
          .POST, "/v1/rerank", RunningGateway.request, headers: bearer("s-shop")
        ).status == 200)
    }
  }

  @Test func theSessionSaysWhoOneIsWithoutAnError() async throws {
    try await withTokens(StubOperatedQueue()) { gateway in
      let nobody = try await gateway.send(.GET, "/ui/api/session").json()
      #expect(nobody["known"] as? Bool == false)
      let wrong = try await gateway.send(.GET, "/ui/api/session", headers: bearer("wrong")).json()
      #expect(wrong["known"] as? Bool == false)
      let shop = try await gateway.send(.GET, "/ui/api/session", headers: bearer("s-shop")).json()
      #expect(shop["known"] as? Bool == true)
      #expect(shop["operator"] as? Bool == false)
      let boss = try await gateway.send(.GET, "/ui/api/session", headers: bearer("s-boss")).json()
      #expect(boss["operator"] as? Bool == true)
    }
    try await RunningGateway.run { gateway in
      let open = try await gateway.send(.GET, "/ui/api/session").json()
      #expect(open["operator"] as? Bool == true)
    }
  }

  @Test func anOpenPageIsNoUseOfTheTokensRate() async throws {
    try await withTokens(StubOperatedQueue()) { gateway in
      for _ in 0..<10 {
        #expect(
          try await gateway.send(.GET, "/ui/api/status", headers: bearer("s-boss")).status == 200)
      }
      var statuses: [Int] = []
      for _ in 0..<4 {
        statuses.append(
          try await gateway.send(
            .POST, "/ui/api/control/ListJobs", "{}", headers: bearer("s-boss")
          ).status)
      }
      #expect(statuses == [200, 200, 200, 429])
    }
  }

  @Test(arguments: [
    ("SetPaused", #"{"paused":true}"#, "paused true"), ("SetPaused", "{}", "paused false"),
    ("SetDraining", #"{"draining":true}"#, "draining true"),
    ("SetWorkerPaused", #"{"workerId":"w","paused":true}"#, "worker w paused true"),
    ("DrainWorker", #"{"workerId":"w"}"#, "drain w"),
    ("SetBackendPaused", #"{"backend":"hub","paused":true}"#, "backend hub paused true"),
    ("ScaleWorkers", #"{"workers":3}"#, "scale any 3"),
    ("ScaleWorkers", #"{"supervisorId":"s","workers":3}"#, "scale s 3"),
    ("RetryJobs", #"{"jobIds":["2","1"]}"#, "retry [0-1, 0-2]"),
    ("CancelJobs", #"{"jobIds":["7"]}"#, "cancel [0-7]"),
  ])
  func eachCallReachesTheQueue(name: String, body: String, call: String) async throws {
    let queue = StubOperatedQueue()
    try await RunningGateway.run(operated: [queue]) { gateway in
      let reply = try await gateway.send(
        .POST, "/ui/api/control/\(name)", body, headers: Self.page)
      #expect(reply.status == 200)
      #expect(queue.calls.last { $0 != "status" } == call)
    }
  }

  @Test func callsAreBounded() async throws {
    let queue = StubOperatedQueue()
    try await RunningGateway.run(
      operated: [queue],
      configure: {
        $0.pageJobsMax = 2
        $0.pageBodyBytesMax = 100
      }
    ) { (gateway: RunningGateway) async throws in
      let long = String(repeating: "m", count: 100)
      for (call, body, expected) in [
        ("RetryJobs", #"{"jobIds":[]}"#, 400), ("RetryJobs", #"{"jobIds":["1","2","3"]}"#, 400),
        ("CancelJobs", #"{"jobIds":["1","2","3"]}"#, 400), ("RetryJobs", "", 400),
        ("RetryJobs", "[]", 400), ("RetryJobs", #"{"unknown":1}"#, 400),
        ("RetryJobs", #"{"jobIds":["x"]}"#, 400), ("ListJobs", "{\"model\":\"\(long)\"}", 413),
        ("ListJobs", "{}", 200), ("ListJobs", #"{"limit":1}"#, 200),
        ("ListJobs", #"{"limit":3}"#, 200),
      ] {
        let answered = try await status(gateway, call, body)
        #expect(answered == expected, "\(call) \(body)")
      }
      #expect(!queue.calls.contains { $0.hasPrefix("retry") || $0.hasPrefix("cancel") })
      #expect(queue.calls.filter { $0.hasPrefix("jobs") } == ["jobs 2", "jobs 1", "jobs 2"])
    }
  }

  @Test func theQueuesRefusalIsSaidInItsWords() async throws {
    let queue = StubOperatedQueue()
    queue.fail(CallError(.notFound, "no worker w is attached"))
    try await RunningGateway.run(operated: [queue]) { gateway in
      let reply = try await gateway.send(
        .POST, "/ui/api/control/DrainWorker", #"{"workerId":"w"}"#, headers: Self.page)
      #expect(reply.status == 404)
      #expect(try reply.error()["message"] as? String == "no worker w is attached")
    }
  }

  @Test func eachQueueIsGivenItsOwnJobs() async throws {
    let queues = [StubOperatedQueue(shard: 0), StubOperatedQueue(shard: 5)]
    try await RunningGateway.run(operated: queues) { gateway in
      let ids = [JobID(shard: 5, sequence: 2), JobID(shard: 0, sequence: 1)]
      let wire = ids.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
      let reply = try await gateway.send(
        .POST, "/ui/api/control/RetryJobs", "{\"jobIds\":[\(wire)]}", headers: Self.page)
      let outcomes = try #require(try reply.json()["outcomes"] as? [[String: Any]])
      #expect(outcomes.map { $0["jobId"] as? String } == ids.map { "\($0.rawValue)" })
      #expect(queues[0].calls.last == "retry [0-1]")
      #expect(queues[1].calls.last == "retry [5-2]")

      // What is about a queue goes to all, or to the one that is named.
      #expect(try await status(gateway, "SetPaused") == 200)
      #expect(queues.allSatisfy { $0.calls.last == "paused false" })
      #expect(try await status(gateway, "SetPaused?shard=5", #"{"paused":true}"#) == 200)
      #expect(queues[0].calls.last { $0 != "status" } == "paused false")
      #expect(queues[1].calls.last { $0 != "status" } == "paused true")
      // What is in a queue needs the queue's name.
      #expect(try await status(gateway, "ListJobs") == 400)
      #expect(try await status(gateway, "ListJobs?shard=5") == 200)
      #expect(try await status(gateway, "ListJobs?shard=6") == 503)
      #expect(try await status(gateway, "ListJobs?shard=x") == 400)
    }
  }

  @Test func hostileTextStaysText() async throws {
    let hostile = "</script><img src=x onerror=alert(1)>\u{2028}\"\\\u{0}"
    let queue = StubOperatedQueue()
    var details = JobDetails()
    details.jobID = 9
    details.state = .dead
    details.spec.model = hostile
    details.outcome.error.code = 13
    details.outcome.error.message = hostile
    var attempt = AttemptRecord()
    attempt.message = hostile
    details.attemptRecords = [attempt]
    details.request = try RerankRequest(
      query: hostile,
      documents: [hostile, String(repeating: "x", count: 501)]
        + Array(repeating: "d", count: 8)
    ).serializedData()
    queue.add(details)
    try await RunningGateway.run(operated: [queue]) { gateway in
      let reply = try await gateway.send(.GET, "/ui/api/jobs/0-9")
      #expect(reply.headers.first(name: "content-type") == "application/json")
      #expect(reply.headers.first(name: "x-content-type-options") == "nosniff")
      #expect(reply.headers.first(name: "cache-control") == "no-store")
      let json = try reply.json()
      let job = try #require(json["job"] as? [String: Any])
      #expect((job["spec"] as? [String: Any])?["model"] as? String == hostile)
      #expect(
        (job["attemptRecords"] as? [[String: Any]])?.first?["message"] as? String == hostile)
      #expect(job["request"] == nil)
      let request = try #require(json["request"] as? [String: Any])
      #expect(request["query"] as? String == hostile)
      let documents = try #require(request["documents"] as? [String])
      #expect(documents.map(\.count) == [hostile.count, 500, 1, 1, 1])
      #expect(request["documentCount"] as? Int == 10)
      #expect(request["isShortened"] as? Bool == true)
      for path in ["/ui/api/jobs/0-8", "/ui/api/jobs/x", "/ui/api/jobs/0-0"] {
        #expect(try await gateway.send(.GET, path).status == 404, "\(path)")
      }
    }
  }

  @Test func aLargeRequestIsNotFetchedForItsBeginning() async throws {
    let queue = StubOperatedQueue()
    var details = JobDetails()
    details.jobID = 9
    details.requestBytes = 11
    queue.add(details)
    try await RunningGateway.run(operated: [queue], configure: { $0.pagePreviewBytesMax = 10 }) {
      gateway in
      let json = try await gateway.send(.GET, "/ui/api/jobs/0-9").json()
      #expect(json["job"] != nil)
      #expect(json["request"] == nil)
      #expect(!queue.calls.contains("job 0-9 request"))
    }
  }
}
