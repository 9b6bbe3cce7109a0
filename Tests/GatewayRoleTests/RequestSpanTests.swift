import CoreMetrics
import NIOHTTP1
import RerankdProtocol
import TestSupport
import Testing
import TraceContext
import Tracing

@testable import GatewayRole
@testable import Observability

/// The gateway's part of a trace: between the client's span and those of the queue and its workers.
@Suite struct RequestSpanTests {
  private let buffer = SpanBuffer(
    spansMax: 100, batchMax: 100, metrics: NOOPMetricsHandler.instance)
  private let parent = TraceParent(
    traceID: String(repeating: "a", count: 32), spanID: String(repeating: "b", count: 16),
    isSampled: true)

  /// What the job of a rerank was given.
  private func traceparent(
    header: String?, sampleRatio: Double? = 1
  ) async throws -> (job: String, spans: [FinishedSpan]) {
    let queue = StubQueue()
    let tracer = sampleRatio.map { TraceRecorder(sampleRatio: $0, buffer: buffer) }
    func ask(_ gateway: RunningGateway) async throws {
      let headers = header.map { [("traceparent", $0)] } ?? []
      let reply = try await gateway.send(
        .POST, "/v1/rerank", RunningGateway.request, headers: headers)
      #expect(reply.status == 200)
      // Looked at again and again: no part of anybody's trace.
      _ = try await gateway.send(.GET, "/health/ready", headers: headers)
    }
    if let tracer {
      try await RunningGateway.run(queue, tracer: tracer, ask)
    } else {
      try await RunningGateway.run(queue, ask)
    }
    return (try #require(queue.reranks.first).job.spec.traceparent, buffer.take())
  }

  @Test func requestContinuesItsClientsTrace() async throws {
    let (job, spans) = try await traceparent(header: "\(parent)")
    let span = try #require(spans.first)
    #expect(spans.count == 1)
    #expect(span.name == "POST /v1/rerank" && span.kind == .server)
    #expect(span.place.traceID == parent.traceID)
    #expect(span.parentID == parent.spanID)
    #expect(job == "\(span.place)")
    #expect(span.attributes.get("http.route") == "/v1/rerank")
    #expect(span.attributes.get("http.response.status_code") == 200)
    #expect(span.attributes.get("rerankd.job_id") == "0-7")
  }

  @Test func traceBeginsHereWhereTheClientHasNone() async throws {
    for header in [nil, "nonsense", "00-\(String(repeating: "0", count: 32))-\(parent.spanID)-01"] {
      let (job, spans) = try await traceparent(header: header)
      let span = try #require(spans.first)
      #expect(span.parentID == nil)
      #expect(job == "\(span.place)")
    }
  }

  @Test func whatTheClientDoesNotSampleIsNotRecordedAndGoesOn() async throws {
    let unsampled = TraceParent(
      traceID: parent.traceID, spanID: parent.spanID, isSampled: false)
    let (job, spans) = try await traceparent(header: "\(unsampled)")
    #expect(spans.isEmpty)
    #expect(TraceParent(job)?.traceID == parent.traceID)
    #expect(TraceParent(job)?.isSampled == false)
  }

  @Test func withoutATracerTheClientsContextGoesOnAsItCame() async throws {
    #expect(try await traceparent(header: "\(parent)", sampleRatio: nil).job == "\(parent)")
    #expect(try await traceparent(header: "00-1-2-01", sampleRatio: nil).job == "")
    #expect(try await traceparent(header: nil, sampleRatio: nil).job == "")
  }

  @Test func failureOfOursIsAnErrorAndTheClientsIsNone() async throws {
    let tracer = TraceRecorder(sampleRatio: 1, buffer: buffer)
    let queue = StubQueue { _ throws(CallError) in throw CallError(.unavailable, "away") }
    try await RunningGateway.run(queue, tracer: tracer) { gateway in
      _ = try await gateway.send(.POST, "/v1/rerank", "{}")
      _ = try await gateway.send(.POST, "/v1/rerank", RunningGateway.request)
    }
    let spans = buffer.take()
    #expect(spans.map { $0.status?.code } == [nil, .error])
  }
}
