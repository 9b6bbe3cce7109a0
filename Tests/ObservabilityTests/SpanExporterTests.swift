import Foundation
import Logging
import TestSupport
import Testing
import Tracing

@testable import Observability

@Suite struct SpanExporterTests {
  private let registry = MetricsRegistry()
  private var text: String { PrometheusText.write(registry.families()) }

  private func parts(
    port: Int, _ change: (inout TracingConfiguration) -> Void = { _ in }
  ) -> (TraceRecorder, SpanExporter) {
    var configuration = TracingConfiguration()
    configuration.interval = .milliseconds(20)
    change(&configuration)
    let buffer = SpanBuffer(
      spansMax: configuration.spansMax, batchMax: configuration.batchMax, metrics: registry)
    let exporter = SpanExporter(
      configuration, endpoint: "http://127.0.0.1:\(port)/", service: "rerankd-test", version: "1",
      buffer: buffer, metrics: registry,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    return (TraceRecorder(sampleRatio: 1, buffer: buffer), exporter)
  }

  private func spans(_ body: Data) throws -> [[String: Any]] {
    let request = try JSONSerialization.jsonObject(with: body) as? [String: Any]
    let resources = try #require(request?["resourceSpans"] as? [[String: Any]])
    let scopes = try #require(resources.first?["scopeSpans"] as? [[String: Any]])
    return try #require(scopes.first?["spans"] as? [[String: Any]])
  }

  @Test func spansArriveAsOTLPWithTheirParents() async throws {
    let collector = TestCollector()
    try await collector.run { port in
      let (tracer, exporter) = parts(port: port)
      try await withService(exporter) {
        tracer.withSpan("outer", context: .topLevel, ofKind: .server) { outer in
          outer.attributes["rerankd.model"] = "m"
          outer.attributes["rerankd.documents"] = 12
          tracer.withSpan("inner", ofKind: .client) {
            $0.setStatus(.init(code: .error, message: "no"))
          }
        }
        try await eventually("the spans") { !collector.bodies.isEmpty }
      }
    }
    let spans = try collector.bodies.flatMap { try self.spans($0) }
    let outer = try #require(spans.first { $0["name"] as? String == "outer" })
    let inner = try #require(spans.first { $0["name"] as? String == "inner" })
    #expect(inner["parentSpanId"] as? String == outer["spanId"] as? String)
    #expect(inner["traceId"] as? String == outer["traceId"] as? String)
    #expect(outer["parentSpanId"] == nil)
    #expect(outer["kind"] as? Int == 2 && inner["kind"] as? Int == 3)
    #expect((inner["status"] as? [String: Any])?["code"] as? Int == 2)
    let attributes = try #require(outer["attributes"] as? [[String: Any]])
    #expect(
      attributes.compactMap { $0["key"] as? String } == ["rerankd.documents", "rerankd.model"])
    #expect((attributes[0]["value"] as? [String: Any])?["intValue"] as? String == "12")
    let start = try #require((outer["startTimeUnixNano"] as? String).flatMap { UInt64($0) })
    let end = try #require((outer["endTimeUnixNano"] as? String).flatMap { UInt64($0) })
    #expect(start > 1_600_000_000_000_000_000 && end >= start)
    #expect(text.contains(#"rerankd_tracing_spans_total{outcome="exported"} 2"#))
  }

  @Test func whatIsLeftAtTheEndIsSent() async throws {
    let collector = TestCollector()
    try await collector.run { port in
      let (tracer, exporter) = parts(port: port) { $0.interval = .seconds(600) }
      try await withService(exporter) { tracer.startSpan("late", context: .topLevel).end() }
    }
    #expect(try collector.bodies.map { try spans($0).count } == [1])
  }

  @Test func fullBatchDoesNotWaitForItsTime() async throws {
    let collector = TestCollector()
    try await collector.run { port in
      let (tracer, exporter) = parts(port: port) {
        $0.interval = .seconds(600)
        $0.batchMax = 2
      }
      try await withService(exporter) {
        for _ in 0..<2 { tracer.startSpan("soon", context: .topLevel).end() }
        try await eventually("the batch") { collector.bodies.count == 1 }
      }
    }
  }

  @Test func overloadedCollectorIsAskedAgain() async throws {
    let collector = TestCollector(answers: [503, 200])
    try await collector.run { port in
      let (tracer, exporter) = parts(port: port)
      try await withService(exporter) {
        tracer.startSpan("patient", context: .topLevel).end()
        try await eventually("both requests") { collector.bodies.count == 2 }
      }
    }
    #expect(text.contains(#"rerankd_tracing_spans_total{outcome="exported"} 1"#))
    #expect(text.contains(#"rerankd_tracing_spans_total{outcome="failed"} 0"#))
  }

  @Test func spansThatNobodyTakesAreCounted() async throws {
    let collector = TestCollector(answers: [400])
    try await collector.run { port in
      let (tracer, exporter) = parts(port: port)
      try await withService(exporter) {
        tracer.startSpan("lost", context: .topLevel).end()
        try await eventually("the failure") {
          text.contains(#"rerankd_tracing_spans_total{outcome="failed"} 1"#)
        }
      }
    }
    #expect(collector.bodies.count == 1)
  }
}
