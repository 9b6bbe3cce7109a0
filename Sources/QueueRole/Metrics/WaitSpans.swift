internal import RerankdProtocol
internal import TraceContext
internal import Tracing

/// Tells the tracer how long each job waited, when it is assigned: a span from when it was ready
/// until now, a child of the submitter's, and the parent of the worker's attempt.
struct WaitSpans {
  private let tracer: any Tracer

  /// - Returns: nil where nobody traces: then it costs nothing.
  init?(_ tracer: any Tracer) {
    if tracer is NoOpTracer { return nil }
    self.tracer = tracer
  }

  /// - Returns: the orders with the context that their workers are to go on with.
  func traced(_ orders: [AssignmentOrder]) -> [AssignmentOrder] {
    let now = DefaultTracerClock.now
    return orders.map { order in
      let waited = UInt64(max(order.waitedMs, 0)) * 1_000_000
      let span = tracer.startSpan(
        "rerank wait", context: tracer.context(ofTraceparent: order.traceparent),
        ofKind: .internal,
        at: DefaultTracerClock.Timestamp(
          nanosecondsSinceEpoch: now.nanosecondsSinceEpoch - min(waited, now.nanosecondsSinceEpoch)
        ))
      span.updateAttributes {
        $0["rerankd.job_id"] = "\(order.lease.job)"
        $0["rerankd.model"] = order.model
        $0["rerankd.attempt"] = Int(order.lease.attempt)
      }
      span.end(at: now)
      var order = order
      order.traceparent = tracer.traceparent(of: span.context, orReceived: order.traceparent)
      return order
    }
  }
}
