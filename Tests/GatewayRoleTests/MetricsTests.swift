import Testing

@testable import GatewayRole

@Suite struct GatewayMetricsTests {
  @Test func requestsAreCountedByRouteAndStatus() {
    let metrics = GatewayMetrics()
    metrics.record(route: "/v1/rerank", status: 200, duration: .milliseconds(2))
    metrics.record(route: "/v1/rerank", status: 200, duration: .milliseconds(700))
    metrics.record(route: "/v1/rerank", status: 429, duration: .seconds(100))
    let lines = metrics.text(inFlight: 3).split(separator: "\n")
    #expect(lines.contains(#"rerankd_gateway_requests_total{route="/v1/rerank",status="200"} 2"#))
    #expect(lines.contains(#"rerankd_gateway_requests_total{route="/v1/rerank",status="429"} 1"#))
    #expect(lines.contains("rerankd_gateway_requests_in_flight 3"))
    let name = "rerankd_gateway_request_duration_seconds"
    #expect(lines.contains(#"\#(name)_bucket{route="/v1/rerank",le="0.001"} 0"#))
    #expect(lines.contains(#"\#(name)_bucket{route="/v1/rerank",le="0.0025"} 1"#))
    #expect(lines.contains(#"\#(name)_bucket{route="/v1/rerank",le="1.0"} 2"#))
    #expect(lines.contains(#"\#(name)_bucket{route="/v1/rerank",le="+Inf"} 3"#))
    #expect(lines.contains(#"\#(name)_count{route="/v1/rerank"} 3"#))
  }
}
