public import Instrumentation

/// Trace context travels between the processes in one field, `traceparent`, wherever there is no
/// HTTP header for it: in a job, in an assignment, in a scoring request. These two are all that the
/// roles need of propagation. Where no tracer is installed, nothing is extracted and nothing is
/// injected, and what came in goes on as it came.
extension Instrument {
  /// - Parameter traceparent: nil and what cannot be read begin a trace of their own.
  public func context(ofTraceparent traceparent: String?) -> InstrumentationContext {
    var context = InstrumentationContext.topLevel
    if let traceparent, !traceparent.isEmpty {
      extract(traceparent, into: &context, using: TraceparentField())
    }
    return context
  }

  /// What the next process is to have as its parent.
  ///
  /// - Parameter received: goes on where there is no tracer.
  public func traceparent(
    of context: InstrumentationContext, orReceived received: String?
  ) -> String? {
    var carrier = ""
    inject(context, into: &carrier, using: TraceparentField())
    return carrier.isEmpty ? received : carrier
  }
}

/// The header's value is the whole carrier.
private struct TraceparentField: Extractor, Injector {
  func extract(key: String, from carrier: String) -> String? {
    key == "traceparent" ? carrier : nil
  }

  func inject(_ value: String, forKey key: String, into carrier: inout String) {
    if key == "traceparent" { carrier = value }
  }
}
