import Foundation

/// The Retry-After header of RFC 9110, 10.2.3: whole seconds, or an HTTP date.
enum RetryAfter {
  /// A backend that asks for more is taken at this: no schedule can rest on a longer wait.
  static let waitMax = Duration.seconds(24 * 3_600)

  /// nil when the header is neither; a date that has passed means no wait.
  static func parse(_ header: String, now: Date) -> Duration? {
    let text = header.trimmingCharacters(in: .whitespaces)
    if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return Int64(text).map { min(.seconds($0), waitMax) } ?? waitMax
    }
    guard let date = date(text) else { return nil }
    return min(.seconds(max(0, date.timeIntervalSince(now).rounded(.up))), waitMax)
  }

  /// The three forms of RFC 9110, 5.6.7: the one to send, and the two obsolete ones to accept.
  private static func date(_ text: String) -> Date? {
    for format in [
      "EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'",
      "EEE MMM d HH:mm:ss yyyy",
    ] {
      let formatter = DateFormatter()
      formatter.locale = Locale(identifier: "en_US_POSIX")
      formatter.timeZone = TimeZone(secondsFromGMT: 0)
      formatter.dateFormat = format
      if let date = formatter.date(from: text) { return date }
    }
    return nil
  }
}
