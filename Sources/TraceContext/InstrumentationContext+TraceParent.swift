public import Instrumentation

private enum TraceParentKey: InstrumentationContextKey {
  typealias Value = TraceParent
  static var nameOverride: String? { "traceparent" }
}

extension InstrumentationContext {
  /// The span that what happens now belongs to.
  public var traceParent: TraceParent? {
    get { self[TraceParentKey.self] }
    set { self[TraceParentKey.self] = newValue }
  }
}
