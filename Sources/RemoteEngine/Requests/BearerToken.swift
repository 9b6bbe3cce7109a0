import Foundation

/// A secret: neither printing nor reflecting shows it.
struct BearerToken: Sendable, CustomStringConvertible, CustomReflectable {
  private let value: @Sendable () -> String

  init(_ value: String) {
    self.value = { value }
  }

  var headerValue: String { "Bearer \(value())" }
  var description: String { "[token]" }
  var customMirror: Mirror { Mirror(self, children: []) }

  /// The text without the token, which a backend may have sent back in its error.
  func redacted(in text: String) -> String {
    text.replacingOccurrences(of: value(), with: "[token]")
  }
}
