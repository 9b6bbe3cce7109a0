import NIOHTTP1
import TestSupport
import Testing

@testable import GatewayRole

@Suite struct GatewayMetricsTests {
  @Test func requestsAreCountedByRouteAndStatus() async throws {
    try await RunningGateway.run { gateway in
      for _ in 0..<2 { _ = try await gateway.send(.POST, "/v1/rerank", RunningGateway.request) }
      _ = try await gateway.send(.POST, "/v1/rerank", "{}")
      _ = try await gateway.send(.GET, "/v1/jobs/0-99")
      _ = try await gateway.send(.GET, "/metrics")
      let lines = await gateway.metrics.split(separator: "\n")
      let total = "rerankd_gateway_requests_total"
      #expect(lines.contains(#"\#(total){route="/v1/rerank",status="200"} 2"#))
      #expect(lines.contains(#"\#(total){route="/v1/rerank",status="400"} 1"#))
      // What clients put into a path makes no series.
      #expect(lines.contains(#"\#(total){route="/v1/jobs/{id}",status="404"} 1"#))
      #expect(lines.contains(#"\#(total){route="none",status="404"} 1"#))
      let duration = "rerankd_gateway_request_duration_seconds"
      #expect(lines.contains(#"\#(duration)_bucket{route="/v1/rerank",le="+Inf"} 3"#))
      #expect(lines.contains(#"\#(duration)_count{route="/v1/rerank"} 3"#))
    }
  }

  @Test func whatRequestsHoldIsShownWhileTheyHoldIt() async throws {
    let queue = StubQueue(answer: StubQueue.never)
    try await RunningGateway.run(queue) { gateway in
      let bytes = RunningGateway.request.utf8.count
      var client: RawConnection? = try RawConnection(port: gateway.port)
      client?.send(
        "POST /v1/rerank HTTP/1.1\r\nHost: h\r\nContent-Length: \(bytes)\r\n\r\n"
          + RunningGateway.request)
      try await eventually("the job") { queue.reranks.count == 1 }
      let text = await gateway.metrics
      #expect(text.contains("\nrerankd_gateway_requests_in_flight 1\n"))
      #expect(text.contains("\nrerankd_gateway_body_bytes \(bytes)\n"))
      client = nil
      try await eventually("the end of the request") {
        let text = await gateway.metrics
        return text.contains("\nrerankd_gateway_requests_in_flight 0\n")
          && text.contains("\nrerankd_gateway_body_bytes 0\n")
      }
    }
  }
}
