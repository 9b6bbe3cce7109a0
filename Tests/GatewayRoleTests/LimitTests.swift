import Foundation
import NIOHTTP1
import RerankdProtocol
import TestSupport
import Testing

@testable import GatewayRole

/// What a client can make the gateway hold, and for how long.
@Suite struct GatewayLimitTests {
  private let head = "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n"

  @Test func aClientThatGoesAwayEndsItsJob() async throws {
    let queue = StubQueue(answer: StubQueue.never)
    try await RunningGateway.run(queue) { gateway in
      let request = RunningGateway.request
      var client: RawConnection? = try RawConnection(port: gateway.port)
      client?.send(
        "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nContent-Length: \(request.utf8.count)\r\n\r\n"
          + request)
      try await eventually("the job") { queue.reranks.count == 1 }
      #expect(queue.callsOff == 0)
      client = nil
      try await eventually("the end of the call") { queue.callsOff == 1 }
      try await eventually("its place in the metrics") {
        await gateway.metrics.contains(
          #"requests_total{route="/v1/rerank",status="499"} 1"#)
      }
    }
  }

  @Test func aSlowBodyIsCut() async throws {
    try await RunningGateway.run(configure: { $0.bodyTimeout = .milliseconds(200) }) { gateway in
      let client = try RawConnection(port: gateway.port)
      client.send(head + "\r\n{\"model\"")
      try await client.waitForClose("the end of the slow connection")
      #expect(!client.text.contains("200 OK"))
    }
  }

  @Test func slowHeadersAreCut() async throws {
    try await RunningGateway.run(configure: { $0.idleTimeout = .milliseconds(200) }) { gateway in
      let client = try RawConnection(port: gateway.port)
      client.send(head)
      try await client.waitForClose("the end of the slow connection")
    }
  }

  @Test func aClientThatDoesNotReadIsCut() async throws {
    // More than sockets hold. The text comes back in the answer.
    let text = String(repeating: "x", count: 8 << 20)
    let body = #"{"model":"m","query":"q","documents":["\#(text)"]}"#
    try await RunningGateway.run(
      configure: {
        $0.responseTimeout = .milliseconds(300)
        $0.connectionsMax = 1
      }
    ) { gateway in
      let client = try RawConnection(port: gateway.port)
      try await client.sendAll(
        Array(
          "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            .utf8))
      // There is room for another connection only when that one is gone.
      let next = try RawConnection(port: gateway.port)
      next.send("GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
      try await next.wait(for: "200 OK")
      try await client.waitForClose("the end of what was sent")
      #expect(client.received.count < text.utf8.count)
    }
  }

  @Test func tooLargeABodyIsRefused() async throws {
    try await RunningGateway.run(configure: { $0.bodyBytesMax = 100 }) { gateway in
      let body =
        #"{"model":"m","query":"q","documents":["\#(String(repeating: "x", count: 100))"]}"#
      let announced = try await gateway.send(.POST, "/v1/rerank", body)
      #expect(announced.status == 413)
      #expect(try announced.error()["code"] as? String == "request_too_large")
      let client = try RawConnection(port: gateway.port)
      client.send("POST /v1/rerank HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
      client.send("60\r\n" + String(repeating: " ", count: 0x60) + "\r\n")
      client.send("60\r\n" + String(repeating: " ", count: 0x60) + "\r\n0\r\n\r\n")
      try await client.wait(for: "413 ")
    }
  }

  @Test func tooManyDocumentsAreRefused() async throws {
    try await RunningGateway.run(configure: { $0.documentsMax = 2 }) { gateway in
      let reply = try await gateway.send(.POST, "/v1/rerank", RunningGateway.request)
      #expect(reply.status == 413)
      #expect(try reply.error()["param"] as? String == "documents")
    }
  }

  @Test func bodiesTogetherHaveABound() async throws {
    let queue = StubQueue(answer: StubQueue.never)
    let request = RunningGateway.request
    try await RunningGateway.run(
      queue,
      configure: {
        $0.bodyBytesMax = request.utf8.count
        $0.bodyBytesTotalMax = request.utf8.count + 1
      }
    ) { gateway in
      let first = try RawConnection(port: gateway.port)
      first.send(
        "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nContent-Length: \(request.utf8.count)\r\n\r\n"
          + request)
      try await eventually("the first request") { queue.reranks.count == 1 }
      let second = try await gateway.send(.POST, "/v1/rerank", request)
      #expect(second.status == 503)
      #expect(second.headers.first(name: "retry-after") == "1")
    }
  }

  @Test func requestsAtOnceHaveABound() async throws {
    let queue = StubQueue(answer: StubQueue.never)
    let request = RunningGateway.request
    try await RunningGateway.run(queue, configure: { $0.requestsMax = 1 }) { gateway in
      var first: RawConnection? = try RawConnection(port: gateway.port)
      first?.send(
        "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nContent-Length: \(request.utf8.count)\r\n\r\n"
          + request)
      try await eventually("the first request") { queue.reranks.count == 1 }
      let refused = try await gateway.send(.GET, "/v1/models")
      #expect(refused.status == 503)
      #expect(try refused.error()["type"] as? String == "overloaded_error")
      #expect(try await gateway.send(.GET, "/health/live").status == 200)
      first = nil
      try await eventually("room for another") {
        try await gateway.send(.GET, "/v1/models").status == 200
      }
    }
  }

  @Test func connectionsHaveABound() async throws {
    try await RunningGateway.run(configure: { $0.connectionsMax = 1 }) { gateway in
      var first: RawConnection? = try RawConnection(port: gateway.port)
      first?.send("GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
      try await first?.wait(for: "200 OK")
      let second = try RawConnection(port: gateway.port)
      second.send("GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(!second.drain() && second.received.isEmpty)
      first = nil
      try await second.wait(for: "200 OK")
    }
  }

  @Test(arguments: [
    "X-Long: \(String(repeating: "x", count: 3000))\r\n",
    (0..<40).map { "X-\($0): y\r\n" }.joined(),
  ])
  func headersBeyondTheBoundEndTheConnection(headers: String) async throws {
    try await RunningGateway.run(
      configure: {
        $0.headerBytesMax = 2_000
        $0.headersMax = 20
      }
    ) { gateway in
      let client = try RawConnection(port: gateway.port)
      client.send("GET /health/live HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n")
      try await client.waitForClose("the end of the connection")
      #expect(!client.text.contains("200 OK"))
    }
  }

  @Test func aClientThatAsksFirstIsToldToGoOn() async throws {
    try await RunningGateway.run { gateway in
      let client = try RawConnection(port: gateway.port)
      let request = RunningGateway.request
      client.send(
        "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
          + "Content-Length: \(request.utf8.count)\r\n\r\n")
      try await client.wait(for: "100 Continue")
      client.send(request)
      try await client.wait(for: "200 OK")
    }
  }

  @Test func oneConnectionTakesManyRequests() async throws {
    try await RunningGateway.run { gateway in
      let client = try RawConnection(port: gateway.port)
      for _ in 0..<3 { client.send("GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n") }
      try await eventually("three answers") {
        _ = client.drain()
        return client.text.components(separatedBy: "200 OK").count == 4
      }
    }
  }
}
