import Foundation
import Testing

@testable import RemoteEngine

struct RetryAfterTests {
  // Sun, 06 Nov 1994 08:49:37 GMT, the instant of RFC 9110's examples.
  private static let now = Date(timeIntervalSince1970: 784_111_777)

  @Test(arguments: [
    ("0", Duration.zero), ("120", .seconds(120)), (" 3 ", .seconds(3)),
    ("Sun, 06 Nov 1994 08:50:37 GMT", .seconds(60)),
    ("Sunday, 06-Nov-94 08:49:39 GMT", .seconds(2)),
    ("Sun Nov  6 08:49:38 1994", .seconds(1)),
    ("Sun, 06 Nov 1994 08:00:00 GMT", .zero),
    ("99999999999", RetryAfter.waitMax), ("99999999999999999999999", RetryAfter.waitMax),
    ("Sat, 06 Nov 2094 08:49:37 GMT", RetryAfter.waitMax),
  ])
  func secondsAndDatesAreUnderstood(header: String, wait: Duration) {
    #expect(RetryAfter.parse(header, now: Self.now) == wait)
  }

  @Test(arguments: ["", "soon", "-5", "1.5", "Sun, 06 Foo 1994 08:49:37 GMT"])
  func anythingElseIsIgnored(header: String) {
    #expect(RetryAfter.parse(header, now: Self.now) == nil)
  }
}
