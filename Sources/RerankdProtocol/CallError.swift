/// How a call ended, when it did not end well: what a STATUS or REJECT message says, as a Swift
/// error.
public struct CallError: Error, Equatable, Sendable {
  public var code: StatusCode
  /// A sentence for the person who meets the error: what was wrong, where, and what to do.
  public var message: String
  public var details: ErrorDetails

  public init(_ code: StatusCode, _ message: String, details: ErrorDetails = ErrorDetails()) {
    self.code = code
    self.message = message
    self.details = details
  }

  /// - Parameters:
  ///   - reason: a stable word in UPPER_SNAKE_CASE that programs may test.
  ///   - resource: which job, model or channel the error is about.
  ///   - retryAfter: not before this long from now; rounded up to whole milliseconds.
  public init(
    _ code: StatusCode, _ message: String, reason: String, resource: String = "",
    retryAfter: Duration? = nil
  ) {
    self.init(code, message)
    details.reason = reason
    details.resource = resource
    self.retryAfter = retryAfter
  }

  /// INVALID_ARGUMENT about one field, named by its path: "jobs[3].spec.model".
  public static func invalidArgument(field: String, _ description: String) -> CallError {
    var violation = FieldViolation()
    violation.field = field
    violation.description_p = description
    var error = CallError(.invalidArgument, "\(field): \(description)")
    error.details.violations = [violation]
    return error
  }

  /// Whether the same call can succeed later; see `StatusCode.isRetryable`.
  public var isRetryable: Bool { code.isRetryable }

  /// Whether the queue takes no new jobs until its operator says so: a moment later it will not,
  /// either.
  public var isOfDraining: Bool { details.reason == "DRAINING" }

  /// Not before this long from now; nil where the peer did not say.
  public var retryAfter: Duration? {
    get { details.retryAfterMs == 0 ? nil : .milliseconds(Int64(clamping: details.retryAfterMs)) }
    set { details.retryAfterMs = newValue.map { max(1, $0.wholeMilliseconds) } ?? 0 }
  }
}

extension CallError {
  /// Nil when the status is OK.
  public init?(status: CallStatus) {
    guard status.code != StatusCode.ok.rawValue else { return nil }
    self.init(StatusCode(wire: status.code), status.message, details: status.details)
  }

  /// As it stands on the wire. Details are left out where there are none.
  public var status: CallStatus {
    var status = CallStatus()
    status.code = code.rawValue
    status.message = message
    if details != ErrorDetails() { status.details = details }
    return status
  }
}

extension CallError: CustomStringConvertible {
  public var description: String { "\(code): \(message)" }
}

extension Duration {
  /// Rounded up, so that a wait is never cut short; negative durations count as 0.
  public var wholeMilliseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let milliseconds = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000)
    return overflow ? .max : product + UInt64(milliseconds)
  }
}
