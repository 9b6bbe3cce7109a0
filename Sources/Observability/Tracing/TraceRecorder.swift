import Synchronization
import TraceContext
public import Tracing

/// The process's tracer: makes spans with W3C ids, and hands those of sampled traces to a
/// ``SpanBuffer`` when they end.
///
/// A trace that comes in is recorded when its parent says so; one that begins here by the ratio.
public final class TraceRecorder: Tracer {
  private let sampleRatio: Double
  private let buffer: SpanBuffer

  /// - Parameter sampleRatio: 0 to 1, of the traces that begin here.
  public init(sampleRatio: Double, buffer: SpanBuffer) {
    self.sampleRatio = sampleRatio
    self.buffer = buffer
  }

  public func startSpan<Instant: TracerInstant>(
    _ operationName: String, context: @autoclosure () -> InstrumentationContext,
    ofKind kind: SpanKind, at instant: @autoclosure () -> Instant, function: String,
    file fileID: String, line: UInt
  ) -> RecordedSpan {
    var context = context()
    let parent = context.traceParent
    let place = TraceParent(
      traceID: parent?.traceID ?? Self.hex(words: 2), spanID: Self.hex(words: 1),
      isSampled: parent?.isSampled ?? (Double.random(in: 0..<1) < sampleRatio))
    context.traceParent = place
    return RecordedSpan(
      FinishedSpan(
        name: operationName, kind: kind, place: place, parentID: parent?.spanID,
        startNanoseconds: instant().nanosecondsSinceEpoch),
      context: context, buffer: buffer)
  }

  public func extract<Carrier, Extract: Extractor>(
    _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
  ) where Extract.Carrier == Carrier {
    guard let text = extractor.extract(key: "traceparent", from: carrier),
      let place = TraceParent(text)
    else { return }
    context.traceParent = place
  }

  public func inject<Carrier, Inject: Injector>(
    _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
  ) where Inject.Carrier == Carrier {
    guard let place = context.traceParent else { return }
    injector.inject("\(place)", forKey: "traceparent", into: &carrier)
  }

  /// Spans leave by the exporter's own clock.
  public func forceFlush() {}

  private static func hex(words: Int) -> String {
    var text = ""
    for _ in 0..<words {
      // Ids of zeros are invalid, and so no half of one is.
      let digits = String(UInt64.random(in: 1...UInt64.max), radix: 16)
      text += String(repeating: "0", count: 16 - digits.count) + digits
    }
    return text
  }
}
