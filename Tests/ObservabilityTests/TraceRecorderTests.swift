import Testing
import TraceContext
import Tracing

@testable import Observability

@Suite struct TraceRecorderTests {
  private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

  private func recorder(
    ratio: Double = 1, spansMax: Int = 100
  ) -> (TraceRecorder, SpanBuffer, MetricsRegistry) {
    let registry = MetricsRegistry()
    let buffer = SpanBuffer(spansMax: spansMax, batchMax: 100, metrics: registry)
    return (TraceRecorder(sampleRatio: ratio, buffer: buffer), buffer, registry)
  }

  @Test func traceparentIsReadAndWritten() throws {
    let place = try #require(TraceParent(Self.parent))
    #expect(place.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
    #expect(place.spanID == "00f067aa0ba902b7")
    #expect(place.isSampled)
    #expect("\(place)" == Self.parent)
    #expect(TraceParent("01" + Self.parent.dropFirst(2) + "-more")?.traceID == place.traceID)
  }

  @Test(arguments: [
    "", "00", parent + "-more", "ff" + parent.dropFirst(2), parent.uppercased(),
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
    "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  ])
  func whatIsNoTraceparentIsNone(_ text: String) {
    #expect(TraceParent(text) == nil)
  }

  @Test func spanIsAChildOfTheTraceparentAndParentOfTheNext() throws {
    let (tracer, buffer, _) = recorder(ratio: 0)
    let span = tracer.startSpan(
      "attempt", context: tracer.context(ofTraceparent: Self.parent), ofKind: .consumer)
    let next = try #require(
      tracer.traceparent(of: span.context, orReceived: Self.parent).flatMap { TraceParent($0) })
    let child = tracer.startSpan("request", context: span.context)
    child.end()
    span.end()
    span.end()
    let spans = buffer.take()
    #expect(spans.map(\.name) == ["request", "attempt"])
    #expect(spans.map(\.place.traceID).allSatisfy { $0 == "4bf92f3577b34da6a3ce929d0e0e4736" })
    #expect(spans[1].parentID == "00f067aa0ba902b7")
    #expect(spans[0].parentID == spans[1].place.spanID)
    #expect(next == spans[1].place)
  }

  @Test func parentThatIsNotSampledGoesOnAndIsNotRecorded() throws {
    let (tracer, buffer, _) = recorder(ratio: 1)
    let parent = Self.parent.dropLast(2) + "00"
    let span = tracer.startSpan(
      "attempt", context: tracer.context(ofTraceparent: String(parent)))
    span.attributes["x"] = 1
    span.end()
    #expect(!span.isRecording)
    #expect(buffer.take().isEmpty)
    #expect(span.context.traceParent?.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
    #expect(span.context.traceParent?.isSampled == false)
  }

  @Test func ratioSamplesRootsAlone() {
    for (ratio, count) in [(0.0, 0), (1.0, 50)] {
      let (tracer, buffer, _) = recorder(ratio: ratio)
      for _ in 0..<50 { tracer.startSpan("root", context: .topLevel).end() }
      #expect(buffer.take().count == count)
    }
  }

  @Test func fullBufferDropsAndCounts() {
    let (tracer, buffer, registry) = recorder(spansMax: 3)
    for _ in 0..<5 { tracer.startSpan("root", context: .topLevel).end() }
    #expect(buffer.take().count == 3)
    #expect(
      PrometheusText.write(registry.families()).contains(
        #"rerankd_tracing_spans_total{outcome="dropped"} 2"#))
  }

  @Test func withoutATracerTheTraceparentGoesOnAsItCame() {
    let tracer = NoOpTracer()
    let context = tracer.context(ofTraceparent: Self.parent)
    #expect(tracer.traceparent(of: context, orReceived: Self.parent) == Self.parent)
    #expect(tracer.traceparent(of: context, orReceived: nil) == nil)
  }
}
