/// A condition did not come true in time.
public struct TimeoutError: Error, CustomStringConvertible {
  public var description: String

  public init(description: String) {
    self.description = description
  }
}

/// Waits until the condition holds: for real I/O, where no event can be awaited instead.
///
/// - Throws: ``TimeoutError`` naming what was waited for, or what the condition throws.
public func eventually(
  _ what: String = "the condition", timeout: Duration = .seconds(20),
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + timeout
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      throw TimeoutError(description: "\(what) did not come true within \(timeout)")
    }
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// Waits until the closure returns a value. Of another name than `eventually`, since a closure that
/// returns a Bool would fit both.
public func eventualValue<Value>(
  _ what: String = "the value", timeout: Duration = .seconds(20),
  _ value: () async throws -> Value?
) async throws -> Value {
  var found: Value?
  try await eventually(what, timeout: timeout) {
    found = try await value()
    return found != nil
  }
  guard let found else { throw TimeoutError(description: "\(what) did not appear") }
  return found
}
