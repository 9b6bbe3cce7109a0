import Foundation
import Logging
import Scoring
import Testing

@testable import RemoteEngine

struct FailureTableTests {
  struct Expected: Sendable {
    var status: Int
    var code: EngineError.Code
    var isRetryable: Bool
    var fault: BackendFault?
  }

  static let rows = [
    Expected(status: 204, code: .internal, isRetryable: true),
    Expected(status: 301, code: .failedPrecondition, isRetryable: false),
    Expected(status: 307, code: .failedPrecondition, isRetryable: false),
    Expected(status: 400, code: .invalidArgument, isRetryable: false),
    Expected(status: 401, code: .unauthenticated, isRetryable: true, fault: .credentialsRefused),
    Expected(status: 402, code: .permissionDenied, isRetryable: true, fault: .credentialsRefused),
    Expected(status: 403, code: .permissionDenied, isRetryable: true, fault: .credentialsRefused),
    Expected(status: 404, code: .notFound, isRetryable: false),
    Expected(status: 405, code: .unimplemented, isRetryable: false),
    Expected(status: 408, code: .deadlineExceeded, isRetryable: true, fault: .unavailable),
    Expected(status: 409, code: .failedPrecondition, isRetryable: false),
    Expected(status: 413, code: .invalidArgument, isRetryable: false),
    Expected(status: 422, code: .invalidArgument, isRetryable: false),
    Expected(status: 424, code: .unavailable, isRetryable: true, fault: .unavailable),
    Expected(status: 425, code: .unavailable, isRetryable: true, fault: .unavailable),
    Expected(status: 429, code: .resourceExhausted, isRetryable: true, fault: .rateLimited),
    Expected(status: 499, code: .unavailable, isRetryable: true, fault: .unavailable),
    Expected(status: 500, code: .internal, isRetryable: true, fault: .unavailable),
    Expected(status: 501, code: .unimplemented, isRetryable: false),
    Expected(status: 502, code: .unavailable, isRetryable: true, fault: .unavailable),
    Expected(status: 503, code: .unavailable, isRetryable: true, fault: .unavailable),
    Expected(status: 504, code: .deadlineExceeded, isRetryable: true, fault: .unavailable),
    Expected(status: 507, code: .internal, isRetryable: true, fault: .unavailable),
  ]

  @Test(arguments: rows)
  func statusDecidesCodeAndRetry(_ expected: Expected) {
    let error = error(status: expected.status)
    #expect(error.code == expected.code)
    #expect(error.isRetryable == expected.isRetryable)
    #expect(error.backendFault == expected.fault)
    #expect(error.message.contains("\(expected.status)"))
  }

  @Test func retryAfterIsPassedOnWhereARetryHelps() {
    #expect(error(status: 429, retryAfter: .seconds(7)).retryAfter == .seconds(7))
    #expect(error(status: 503, retryAfter: .seconds(7)).retryAfter == .seconds(7))
    #expect(error(status: 400, retryAfter: .seconds(7)).retryAfter == nil)
    #expect(error(status: 500).retryAfter == nil)
  }

  @Test func refusedCredentialsRestForTheConfiguredPauseUnlessTheBackendSaysHowLong() {
    #expect(error(status: 401).retryAfter == .seconds(60))
    #expect(error(status: 403, retryAfter: .seconds(5)).retryAfter == .seconds(5))
  }

  @Test(arguments: [
    (
      #"{"error":{"message":"No such model","type":"x","param":null,"code":null}}"#, "No such model"
    ),
    (#"{"error":"Unauthorized"}"#, "Unauthorized"),
    (#"{"message":"too many tokens"}"#, "too many tokens"),
    (#"{"detail":"Not Found"}"#, "Not Found"),
    (#"{"error":{"message":"two\nlines"}}"#, "two lines"),
  ])
  func serverSentenceIsFoundInEveryShape(body: String, sentence: String) {
    #expect(FailureTable.serverMessage(in: Array(body.utf8)) == sentence)
  }

  @Test(arguments: ["", "<html>Bad gateway</html>", "[]", "{}", #"{"error":17}"#, #"{"error":""}"#])
  func bodiesWithoutSentenceGiveNone(body: String) {
    #expect(FailureTable.serverMessage(in: Array(body.utf8)) == nil)
  }

  @Test func longSentenceIsCutShort() {
    let body = #"{"error":"\#(String(repeating: "x", count: 5_000))"}"#
    #expect(error(status: 400, body: body).message.count < 400)
  }

  @Test func tokenThatTheBackendSentBackIsNotPassedOn() {
    let body = #"{"error":{"message":"Incorrect API key provided: sk-secret-1"}}"#
    let error = FailureTable.error(
      status: 401, body: Array(body.utf8), retryAfter: nil, backend: "hub",
      token: BearerToken("sk-secret-1"), credentialsPause: .seconds(60))
    #expect(!error.message.contains("sk-secret-1"))
    #expect(error.message.contains("Incorrect API key provided: [token]"))
  }

  private func error(status: Int, body: String = "{}", retryAfter: Duration? = nil) -> EngineError {
    FailureTable.error(
      status: status, body: Array(body.utf8), retryAfter: retryAfter, backend: "hub", token: nil,
      credentialsPause: .seconds(60))
  }
}

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
