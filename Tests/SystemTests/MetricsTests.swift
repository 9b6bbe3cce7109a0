import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

@testable import Observability

extension SystemTests {
  /// The catalogue, which the operators' page, the alerts and the dashboard are held against, is held
  /// against what running processes show.
  @Suite struct MetricsTests {
    /// A system in which everything happens that a metric with labels tells of.
    @Test func aRunningSystemShowsTheWholeCatalogueAndNothingElse() async throws {
      let hub = try FakeHub()
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret(FakeHub.token, to: "token")
      let configuration = """
        models:
          - { name: builtin }
          - { name: remote, backend: hub, served_name: fake-reranker, golden_pair: false }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))" }
        tracing: { otlp_endpoint: "\(hub.baseURL)" }

        """
      try await RunningSystem.run(configuration: configuration + RunningSystem.briskTimes) {
        system in
        let gateway = try await system.startGateway()
        let reply = try await gateway.curl(
          "/v1/rerank", json: #"{"model":"builtin","query":"q","documents":["a","b"]}"#)
        #expect(reply.status == 200)
        try await system.withClient { client in
          let outcome = try await client.rerank(.make(model: "remote"))
          #expect(outcome.state == .succeeded)
          // Depths by priority are shown of what is there.
          try await client.setPaused(true)
          _ = try await client.submit([.make()])
        }
        var scraped = ScrapedMetrics()
        for role in ["queue", "w0", "gateway"] { scraped.add(try await system.scrape(role)) }
        for metric in MetricCatalogue.all {
          #expect(scraped.types[metric.name] == metric.kind.rawValue, "\(metric.name)")
          #expect(scraped.labels[metric.name] ?? [] == Set(metric.labels), "\(metric.name)")
        }
        let known = Set(MetricCatalogue.all.map(\.name))
        #expect(Set(scraped.types.keys).subtracting(known) == [])
      }
    }
  }
}
