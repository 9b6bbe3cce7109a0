import HTTPTypes
import Hummingbird
import Logging
import RerankdProtocol
import TraceContext
import Tracing

/// The span of one request, from its headers to its answer: a child of the client's where that sent
/// a `traceparent`, and the parent of what the queue and its workers do for it.
///
/// Source of the attributes' names: OpenTelemetry's semantic conventions for HTTP.
struct RequestSpan {
  /// What the job is to have as its parent: the span's own context, or what came in where nobody
  /// traces; nil where there is neither.
  let traceparent: String?
  private let span: any Span
  private let context: InstrumentationContext
  private let logger: Logger

  init(_ request: Request, route: Route, _ tracer: any Tracer, _ logger: Logger) {
    self.logger = logger
    let received = request.headers[.traceparent].flatMap { TraceParent($0) }
    let span = tracer.startSpan(
      "\(request.method.rawValue) \(route.template)",
      context: tracer.context(ofTraceparent: received?.description), ofKind: .server)
    span.updateAttributes {
      $0["http.request.method"] = request.method.rawValue
      $0["http.route"] = route.template
    }
    self.span = span
    traceparent = tracer.traceparent(of: span.context, orReceived: received?.description)
    var context = span.context
    // Without a tracer the log still names the trace that the request came with.
    if context.traceParent == nil { context.traceParent = received }
    self.context = context
  }

  /// Does what the span is of: log lines and spans within belong to it.
  func around<Value>(_ body: () async throws -> Value) async rethrows -> Value {
    try await InstrumentationContext.$current.withValue(context, operation: body)
  }

  /// Says which job the request became.
  func became(job id: JobID) {
    span.attributes["rerankd.job_id"] = "\(id)"
    logger.debug(
      "the request's job", metadata: ["job_id": "\(id)", "span": "\(span.operationName)"])
  }

  func end(status: HTTPResponse.Status) {
    span.attributes["http.response.status_code"] = status.code
    if status.kind == .serverError { span.setStatus(SpanStatus(code: .error)) }
    span.end()
  }
}
