internal import RerankdProtocol

/// Collects what is wrong with a message, so that its sender need not find out one by one. Bounded:
/// a hundred thousand empty documents are not a hundred thousand sentences.
struct FieldViolations {
  private(set) var listed: [FieldViolation] = []
  private(set) var count = 0
  private let listedMax: Int

  init(listedMax: Int) {
    self.listedMax = listedMax
  }

  /// The path is only put together when it will be listed.
  mutating func add(_ field: @autoclosure () -> String, _ description: @autoclosure () -> String) {
    count += 1
    guard listed.count < listedMax else { return }
    var violation = FieldViolation()
    violation.field = field()
    violation.description_p = description()
    listed.append(violation)
  }

  /// Nil when nothing is wrong.
  var error: CallError? {
    guard let first = listed.first else { return nil }
    let more = count > 1 ? " (and \(count - 1) more)" : ""
    var error = CallError(.invalidArgument, "\(first.field): \(first.description_p)\(more)")
    error.details.violations = listed
    return error
  }
}
