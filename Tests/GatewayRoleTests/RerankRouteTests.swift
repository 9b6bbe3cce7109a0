import Foundation
import NIOHTTP1
import RerankdProtocol
import Testing

@testable import GatewayRole

/// The rerank routes over real HTTP, in front of a queue that answers as it is told.
@Suite struct RerankRouteTests {
  @Test func aRerankIsAnsweredAsTheHubDoes() async throws {
    let queue = StubQueue()
    try await RunningGateway.run(queue) { gateway in
      let reply = try await gateway.send(.POST, "/v1/rerank", RunningGateway.request)
      #expect(reply.status == 200)
      #expect(reply.headers.first(name: "content-type") == "application/json")
      let json = try reply.json()
      #expect(json["model"] as? String == "m")
      #expect(json["served_model"] as? String == "served-m")
      #expect(json["id"] as? String == "0-7")
      let results = try #require(json["results"] as? [[String: Any]])
      #expect(results.map { $0["index"] as? Int } == [2, 1, 0])
      #expect(results.map { $0["relevance_score"] as? Double } == [0.1875, 0.125, 0.0625])
      #expect(
        results.map { ($0["document"] as? [String: Any])?["text"] as? String } == ["c", "b", "a"])
      let usage = try #require(json["usage"] as? [String: Any])
      #expect(usage["prompt_tokens"] as? Int == 20)
      #expect(usage["total_tokens"] as? Int == 20)
      let call = try #require(queue.reranks.first)
      #expect(call.job.spec.deadlineMs == 30_000)
      #expect(call.job.spec.tenant == "default")
      #expect(call.cancelsJob)
    }
  }

  @Test func documentsStayAwayWhereTheyAreNotWanted() async throws {
    try await RunningGateway.run { gateway in
      let body = #"{"model":"m","query":"q","documents":["a","b"],"return_documents":false}"#
      let json = try await gateway.send(.POST, "/v1/rerank", body).json()
      let results = try #require(json["results"] as? [[String: Any]])
      #expect(results.count == 2)
      #expect(results.allSatisfy { $0["document"] == nil })
    }
  }

  @Test func cohereAndTEIAreAnsweredInTheirWords() async throws {
    try await RunningGateway.run(configure: { $0.defaultModel = "m" }) { gateway in
      let cohere = try await gateway.send(.POST, "/v2/rerank", RunningGateway.request).json()
      #expect((cohere["results"] as? [[String: Any]])?.count == 3)
      let meta = try #require(cohere["meta"] as? [String: Any])
      #expect((meta["billed_units"] as? [String: Any])?["search_units"] as? Int == 1)

      let tei = try await gateway.send(
        .POST, "/rerank", #"{"query":"q","texts":["a","b"],"return_text":true}"#)
      let ranks = try #require(
        try JSONSerialization.jsonObject(with: tei.body) as? [[String: Any]])
      #expect(ranks.map { $0["index"] as? Int } == [1, 0])
      #expect(ranks.map { $0["text"] as? String } == ["b", "a"])
      #expect(ranks.allSatisfy { $0["score"] is Double })

      let jina = try await gateway.send(.POST, "/rerank", RunningGateway.request).json()
      #expect((jina["results"] as? [[String: Any]])?.count == 3)
    }
  }

  @Test func errorsAreWrittenInTheClientsWords() async throws {
    let queue = StubQueue(answer: StubQueue.failing(CallError(.resourceExhausted, "full")))
    try await RunningGateway.run(queue, configure: { $0.defaultModel = "m" }) { gateway in
      let open = try await gateway.send(.POST, "/v1/rerank", RunningGateway.request)
      #expect(open.status == 429)
      #expect(open.headers.first(name: "retry-after") == "1")
      #expect(try open.error()["type"] as? String == "rate_limit_error")
      let cohere = try await gateway.send(.POST, "/v2/rerank", RunningGateway.request)
      #expect(cohere.status == 429)
      #expect(try cohere.json()["message"] as? String == "full")
      let tei = try await gateway.send(.POST, "/rerank", #"{"query":"q","texts":["a"]}"#)
      #expect(tei.status == 429)
      #expect(try tei.json()["error_type"] as? String == "overloaded")
    }
  }

  @Test(arguments: [
    (JobState.dead, StatusCode.internal, 500), (.dead, .unavailable, 503),
    (.dead, .invalidArgument, 422), (.dead, .notFound, 404), (.expired, .deadlineExceeded, 504),
    (.cancelled, .cancelled, 409),
  ])
  func aJobsEndIsTheRequests(state: JobState, code: StatusCode, status: Int) async throws {
    let queue = StubQueue { _ throws(CallError) in
      var outcome = JobOutcome()
      outcome.state = state
      outcome.error = CallError(code, "because").status
      return outcome
    }
    try await RunningGateway.run(queue) { gateway in
      let reply = try await gateway.send(.POST, "/v1/rerank", RunningGateway.request)
      #expect(reply.status == status)
      #expect(try reply.error()["message"] as? String == "because")
    }
  }

  @Test(arguments: ["{", "[]", "", #""text""#, #"{"model":"m"}"#])
  func whatIsNoRequestIsABadOne(body: String) async throws {
    try await RunningGateway.run { gateway in
      let reply = try await gateway.send(.POST, "/v1/rerank", body)
      #expect(reply.status == 400)
      #expect(try reply.error()["type"] as? String == "invalid_request_error")
    }
  }

  @Test func theClientsHeadersReachTheJob() async throws {
    let queue = StubQueue()
    try await RunningGateway.run(queue) { gateway in
      let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      let reply = try await gateway.send(
        .POST, "/v1/rerank", RunningGateway.request,
        headers: [
          ("X-Request-Timeout", "2.5"), ("traceparent", trace), ("Idempotency-Key", "k"),
        ])
      #expect(reply.status == 200)
      let call = try #require(queue.reranks.first)
      #expect(call.job.spec.deadlineMs == 2_500)
      #expect(call.job.spec.traceparent == trace)
      #expect(call.job.spec.idempotencyKey == "k")
      // The client may come back for it.
      #expect(!call.cancelsJob)
    }
  }

  @Test func noTimeoutIsLongerThanTheLimit() async throws {
    let queue = StubQueue()
    try await RunningGateway.run(queue) { gateway in
      for value in ["100000", "600", "soon", "-1", "0"] {
        let reply = try await gateway.send(
          .POST, "/v1/rerank", RunningGateway.request, headers: [("X-Request-Timeout", value)])
        #expect(reply.status == (Double(value).map { $0 > 0 } ?? false ? 200 : 400))
      }
      #expect(queue.reranks.map(\.job.spec.deadlineMs) == [600_000, 600_000])
    }
  }

  @Test func everyPathAndMethodIsKnownOrRefused() async throws {
    try await RunningGateway.run { gateway in
      #expect(try await gateway.send(.GET, "/nothing").status == 404)
      let wrong = try await gateway.send(.PUT, "/v1/rerank", "{}")
      #expect(wrong.status == 405)
      #expect(wrong.headers.first(name: "allow") == "POST")
    }
  }

  @Test func theBudgetCountsWithoutScoring() async throws {
    let queue = StubQueue()
    try await RunningGateway.run(queue) { gateway in
      let long = String(repeating: "x", count: 200)
      let body = """
        {"model":"m","query":"q","documents":["abc","\(long)",{"image":"http://h/i.png"}]}
        """
      let json = try await gateway.send(.POST, "/v1/tokenize/budget", body).json()
      let documents = try #require(json["documents"] as? [[String: Any]])
      // One each for a byte, one more for a text, ten for the prompt.
      #expect(documents.map { $0["tokens"] as? Int } == [2 + 4 + 10, 2 + 201 + 10, 2 + 1_280 + 10])
      #expect(documents.map { $0["fits"] as? Bool } == [true, false, false])
      #expect((json["usage"] as? [String: Any])?["total_tokens"] as? Int == 16)
      #expect(queue.reranks.isEmpty)
      let unknown = #"{"model":"other","query":"q","documents":["a"]}"#
      #expect(try await gateway.send(.POST, "/v1/tokenize/budget", unknown).status == 404)
    }
  }
}
