public import Logging
import TraceContext
import Tracing

extension Logger.MetadataProvider {
  /// Of the span that the task is in: `trace_id` and `span_id`, as log systems look for them.
  public static let traceContext = Logger.MetadataProvider {
    guard let place = InstrumentationContext.current?.traceParent else { return [:] }
    return ["trace_id": "\(place.traceID)", "span_id": "\(place.spanID)"]
  }
}
