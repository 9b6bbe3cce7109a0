import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// A producer's trace goes through the queue and a worker to the backend, by real processes.
  @Suite struct TraceTests {
    private static let traceID = "0af7651916cd43dd8448eb211c80319c"
    private static let producerSpan = "b7ad6b7169203331"
    private static let traceparent = "00-\(traceID)-\(producerSpan)-01"

    private func withHub(
      tracing: String = "", _ body: (FakeHub, RunningSystem) async throws -> Void
    ) async throws {
      let hub = try FakeHub()
      let tokens = try TemporaryFolder("token")
      try tokens.writeSecret(FakeHub.token, to: "token")
      let configuration = """
        models:
          - { name: remote, backend: hub, served_name: fake-reranker, golden_pair: false }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_file: "\(tokens.path("token"))" }
        log: { format: json, level: debug }
        \(tracing)

        """
      try await RunningSystem.run(configuration: configuration + RunningSystem.briskTimes) {
        system in try await body(hub, system)
      }
    }

    /// Its first attempt fails, so that the worker has something to log.
    private func rerank(_ hub: FakeHub, _ system: RunningSystem) async throws -> JobID {
      // The second answer is to the control pair that a 500 is followed by.
      hub.script([.internalError, .internalError])
      let outcome = try await system.withClient { client in
        try await client.rerank(.make(model: "remote") { $0.spec.traceparent = Self.traceparent })
      }
      #expect(outcome.state == .succeeded)
      #expect(outcome.attempts == 2)
      return JobID(rawValue: outcome.jobID)
    }

    private func traceparents(_ hub: FakeHub) -> [String?] {
      hub.requests.filter { $0.path == "/v1/rerank" }.map { $0.headers["traceparent"] }
    }

    private struct LogLine: Decodable {
      var message: String
      var jobID: String?
      var traceID: String?

      enum CodingKeys: String, CodingKey {
        case message
        case jobID = "job_id"
        case traceID = "trace_id"
      }
    }

    private func lines(_ name: String, _ system: RunningSystem) throws -> [LogLine] {
      try system.process(name).text(of: .error).split(separator: "\n").map {
        try JSONDecoder().decode(LogLine.self, from: Data($0.utf8))
      }
    }

    @Test func theProducersTraceReachesTheBackendAndTheLogs() async throws {
      try await withHub { hub, system in
        let job = try await rerank(hub, system)
        // Nobody traces here, so it goes on as it came.
        let received = traceparents(hub)
        #expect(received.count >= 3)
        #expect(received.allSatisfy { $0 == Self.traceparent })
        for (process, beginning, count) in [
          ("queue", "assigned", 2), ("w0", "attempt failed: ", 1),
        ] {
          let lines = try lines(process, system).filter { $0.message.hasPrefix(beginning) }
          #expect(lines.count == count, "\(process)")
          #expect(lines.allSatisfy { $0.jobID == "\(job)" && $0.traceID == Self.traceID })
        }
      }
    }

    private struct Exported: Decodable {
      struct ResourceSpans: Decodable { var scopeSpans: [ScopeSpans] }
      struct ScopeSpans: Decodable { var spans: [Span] }
      struct Span: Decodable {
        var traceId: String
        var spanId: String
        var parentSpanId: String?
        var name: String
      }

      var resourceSpans: [ResourceSpans]
    }

    private func spans(_ collector: FakeHub) throws -> [Exported.Span] {
      try collector.requests.filter { $0.path == "/v1/traces" }.flatMap { request in
        try JSONDecoder().decode(Exported.self, from: Data(request.body.utf8)).resourceSpans
          .flatMap(\.scopeSpans).flatMap(\.spans)
      }
    }

    @Test func theBackendsRequestIsTheLastOfAChainThatTheProducerBegan() async throws {
      // It takes no spans without its token; what it is sent is on record all the same.
      let collector = try FakeHub()
      try await withHub(tracing: "tracing: { otlp_endpoint: \"\(collector.baseURL)\" }") {
        hub, system in
        _ = try await rerank(hub, system)
        let last = try #require(traceparents(hub).last ?? nil).split(separator: "-")
        #expect(last[1] == Self.traceID)
        var chain: [String] = []
        try await eventually("the chain of spans from the backend to the producer") {
          let spans = try spans(collector)
          chain = []
          var place = String(last[2])
          while let span = spans.first(where: { $0.spanId == place }) {
            #expect(span.traceId == Self.traceID)
            chain.append(span.name)
            place = span.parentSpanId ?? ""
          }
          return place == Self.producerSpan
        }
        #expect(chain == ["POST /v1/rerank", "rerank attempt", "rerank wait"])
        // Nothing else is traced: above all not the sending of spans, which would never end.
        let names = try Set(spans(collector).map(\.name))
        #expect(names.subtracting(chain) == ["GET /v1/models"])
      }
    }
  }
}
