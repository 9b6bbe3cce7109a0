import Synchronization
import TraceContext
public import Tracing

/// A span that knows its place in its trace, and keeps what it is told only when that is sampled.
public final class RecordedSpan: Span {
  /// More are not kept: of attributes, and of events.
  static let itemsMax = 64

  public let context: InstrumentationContext
  public let isRecording: Bool
  private let buffer: SpanBuffer
  /// nil once it has ended.
  private let state: Mutex<FinishedSpan?>
  private let name: Mutex<String>

  init(_ span: FinishedSpan, context: InstrumentationContext, buffer: SpanBuffer) {
    self.context = context
    self.buffer = buffer
    isRecording = span.place.isSampled
    name = Mutex(span.name)
    state = Mutex(isRecording ? span : nil)
  }

  public var operationName: String {
    get { name.withLock { $0 } }
    set { name.withLock { $0 = newValue } }
  }

  public var attributes: SpanAttributes {
    get { state.withLock { $0?.attributes ?? [:] } }
    set {
      guard newValue.count <= Self.itemsMax else { return }
      state.withLock { $0?.attributes = newValue }
    }
  }

  public func setStatus(_ status: SpanStatus) {
    state.withLock { $0?.status = status }
  }

  public func addEvent(_ event: SpanEvent) {
    state.withLock { span in
      if span.map({ $0.events.count < Self.itemsMax }) ?? false { span?.events.append(event) }
    }
  }

  public func recordError<Instant: TracerInstant>(
    _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
  ) {
    guard isRecording else { return }
    var attributes = attributes
    attributes["exception.type"] = "\(type(of: error))"
    attributes["exception.message"] = "\(error)"
    addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
  }

  /// Spans of one trace belong together by their parents alone here.
  public func addLink(_ link: SpanLink) {}

  /// The first end counts.
  public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
    guard isRecording else { return }
    let ended = state.withLock { span in
      defer { span = nil }
      return span
    }
    guard var ended else { return }
    ended.name = operationName
    ended.endNanoseconds = max(instant().nanosecondsSinceEpoch, ended.startNanoseconds)
    buffer.append(ended)
  }
}

/// What is exported of a span.
struct FinishedSpan: Sendable {
  var name: String
  var kind: SpanKind
  var place: TraceParent
  var parentID: String?
  /// Since 1970.
  var startNanoseconds: UInt64
  var endNanoseconds: UInt64 = 0
  var attributes: SpanAttributes = [:]
  var events: [SpanEvent] = []
  var status: SpanStatus?

  init(
    name: String, kind: SpanKind, place: TraceParent, parentID: String?, startNanoseconds: UInt64
  ) {
    self.name = name
    self.kind = kind
    self.place = place
    self.parentID = parentID
    self.startNanoseconds = startNanoseconds
  }
}
