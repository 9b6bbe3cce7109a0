import Foundation
import Scoring
import TestSupport
import Testing

@testable import RemoteEngine

struct FailureTableTests {
  typealias DialectName = RemoteEngineConfiguration.DialectName

  /// An answer as servers give it, and the row that it has to meet.
  struct Example: Sendable, CustomTestStringConvertible {
    var row: String
    var status: Int
    var body = "{}"
    var dialect = DialectName.openai
    var code: EngineError.Code
    var blame = RequestFailure.Blame.request

    var testDescription: String { "\(dialect) \(status) \(body)" }
  }

  static let tooLong = "400, 422 for a pair that is too long"
  static let tooMany = "400, 413, 422 for too many documents"
  static let examples: [Example] = [
    Example(
      row: tooLong, status: 400,
      body: #"""
        {"error":{"code":400,"message":"request (600 tokens) exceeds the available context size","type":
        "exceed_context_size_error","n_prompt_tokens":600,"n_ctx":512}}
        """#, dialect: .llama, code: .invalidArgument, blame: .document),
    Example(
      row: tooLong, status: 400,
      body: #"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#,
      code: .invalidArgument, blame: .document),
    Example(
      row: tooLong, status: 422,
      body: #"""
        {"error":"Input validation error: `inputs` must have less than 512 tokens. Given: 600",
        "error_type":"Validation"}
        """#, dialect: .tei, code: .invalidArgument, blame: .document),
    Example(
      row: "500 for a pair that is too long (`llama`)", status: 500,
      body: #"""
        {"error":{"code":500,"message":"input (600 tokens) is too large to process. increase the physical \
        batch size","type":"server_error"}}
        """#.replacing("\\\n", with: ""), dialect: .llama, code: .invalidArgument,
      blame: .document),
    Example(
      row: tooMany, status: 413,
      body: #"{"error":"batch size 33 > maximum allowed batch size 32","error_type":"Validation"}"#,
      dialect: .tei, code: .invalidArgument, blame: .tooManyDocuments),
    Example(
      row: tooMany, status: 422,
      body: #"{"error":"batch size 33 > maximum allowed batch size 32","error_type":"Validation"}"#,
      dialect: .tei, code: .invalidArgument, blame: .tooManyDocuments),
    Example(
      row: tooMany, status: 400, body: #"{"message":"too many documents: at most 1000"}"#,
      dialect: .cohere, code: .invalidArgument, blame: .tooManyDocuments),
    Example(
      row: "413 (`tei`)", status: 413, dialect: .tei, code: .invalidArgument,
      blame: .tooManyDocuments),
    Example(
      row: "413", status: 413, body: "<html>Request Entity Too Large</html>",
      code: .invalidArgument, blame: .tooManyBytes),
    Example(row: "400, 422", status: 400, code: .invalidArgument),
    Example(
      row: "400, 422", status: 422, body: #"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
      dialect: .jina, code: .invalidArgument),
    Example(
      row: "498 (`cohere`): a text with a forbidden token", status: 498,
      body: #"{"message":"invalid token"}"#, dialect: .cohere, code: .invalidArgument,
      blame: .document),
    Example(
      row: "401", status: 401, body: #"{"error":"Unauthorized"}"#, code: .unauthenticated,
      blame: .backend),
    Example(row: "402, 403", status: 402, code: .permissionDenied, blame: .backend),
    Example(row: "402, 403", status: 403, code: .permissionDenied, blame: .backend),
    Example(row: "407", status: 407, code: .unauthenticated, blame: .backend),
    Example(row: "404", status: 404, code: .notFound),
    Example(row: "405, 501", status: 405, code: .unimplemented),
    Example(
      row: "405, 501", status: 501,
      body: #"{"error":{"code":501,"message":"This server does not support reranking."}}"#,
      dialect: .llama, code: .unimplemented),
    Example(row: "408, 504", status: 408, code: .deadlineExceeded, blame: .backend),
    Example(row: "408, 504", status: 504, code: .deadlineExceeded, blame: .backend),
    Example(
      row: "429", status: 429, body: #"{"error":"Model is overloaded","error_type":"Overloaded"}"#,
      dialect: .tei, code: .resourceExhausted, blame: .backend),
    Example(
      row: "503 while the model is loaded (`llama`)", status: 503,
      body: #"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
      dialect: .llama, code: .unavailable, blame: .backend),
    Example(
      row: "424 (`tei`)", status: 424,
      body: #"{"error":"inference failed","error_type":"Backend"}"#, dialect: .tei, code: .internal,
      blame: .unclear),
    Example(row: "424, 425, 499, 502, 503", status: 424, code: .unavailable, blame: .backend),
    Example(row: "424, 425, 499, 502, 503", status: 425, code: .unavailable, blame: .backend),
    Example(
      row: "424, 425, 499, 502, 503", status: 499, dialect: .cohere, code: .unavailable,
      blame: .backend),
    Example(row: "424, 425, 499, 502, 503", status: 502, code: .unavailable, blame: .backend),
    Example(row: "424, 425, 499, 502, 503", status: 503, code: .unavailable, blame: .backend),
    Example(row: "500", status: 500, code: .internal, blame: .unclear),
    Example(
      row: "500", status: 500, body: #"{"error":{"message":"the request took too long"}}"#,
      code: .internal, blame: .unclear),
    Example(row: "any other 5xx", status: 507, code: .internal, blame: .backend),
    Example(row: "3xx", status: 301, code: .failedPrecondition),
    Example(row: "3xx", status: 307, code: .failedPrecondition),
    Example(row: "any other 4xx", status: 409, code: .failedPrecondition),
    Example(
      row: "any other 4xx", status: 498, dialect: .openai, code: .failedPrecondition),
    Example(row: "a success other than 200", status: 204, code: .internal, blame: .backend),
  ]

  @Test(arguments: examples)
  func answersMeetTheirRow(_ example: Example) {
    let row = FailureTable.row(
      for: example.status, said: ServerSentence(in: Array(example.body.utf8)),
      dialect: example.dialect)
    #expect(row.label == example.row)
    let failure = failure(example.status, example.body, dialect: example.dialect)
    #expect(failure.error.code == example.code)
    #expect(failure.error.code == row.code)
    #expect(failure.error.isRetryable == row.isRetryable)
    #expect(failure.error.spendsAttempt == row.spendsAttempt)
    #expect(failure.error.backendFault == row.fault)
    #expect(failure.blame == example.blame)
    #expect(failure.error.message.contains("\(example.status)"))
  }

  @Test func everyRowHasAnExample() {
    let labels = Set(FailureTable.rows.map(\.label))
    #expect(labels.count == FailureTable.rows.count)
    #expect(labels.subtracting(Self.examples.map(\.row)) == [])
  }

  @Test(arguments: FailureTable.rows + [FailureTable.success])
  func theModulesPageHasEveryRow(_ row: FailureTable.Row) throws {
    let page = try String(
      contentsOf: PackageFolder.url.appending(
        path: "Sources/RemoteEngine/RemoteEngine.docc/RemoteEngine.md"), encoding: .utf8)
    let retry = row.isRetryable ? row.spendsAttempt ? "yes" : "yes, not spent" : "no"
    let fault =
      switch row.fault {
      case .credentialsRefused: "credentials"
      case .rateLimited: "rate limit"
      case .unavailable: "health"
      case nil: ""
      }
    let line = "| \(row.label) | \(row.code.pageName) | \(retry) | \(fault) |"
    #expect(page.contains(line.replacing("|  |", with: "| |")), "\(line)")
  }

  @Test func retryAfterIsPassedOnWhereARetryHelps() {
    #expect(failure(429, retryAfter: .seconds(7)).error.retryAfter == .seconds(7))
    #expect(failure(503, retryAfter: .seconds(7)).error.retryAfter == .seconds(7))
    #expect(failure(400, retryAfter: .seconds(7)).error.retryAfter == nil)
    #expect(failure(500).error.retryAfter == nil)
  }

  @Test func refusedCredentialsRestForTheConfiguredPauseUnlessTheBackendSaysHowLong() {
    #expect(failure(401).error.retryAfter == .seconds(60))
    #expect(failure(403, retryAfter: .seconds(5)).error.retryAfter == .seconds(5))
  }

  @Test func onlyTheVerySameAnswerIsTheSame() {
    let first = failure(500, #"{"error":"CUDA error"}"#)
    #expect(failure(500, #"{"error":"CUDA error"}"#).isSame(as: first))
    #expect(!failure(500, #"{"error":"out of memory"}"#).isSame(as: first))
    #expect(!failure(502, #"{"error":"CUDA error"}"#).isSame(as: first))
  }

  @Test(
    arguments: [
      (
        #"{"error":{"message":"No such model","type":"x","param":null,"code":null}}"#,
        "No such model", "x"
      ),
      (#"{"error":"Unauthorized"}"#, "Unauthorized", nil),
      (#"{"error":"full","error_type":"Overloaded"}"#, "full", "Overloaded"),
      (#"{"message":"too many tokens"}"#, "too many tokens", nil),
      (#"{"detail":"Not Found"}"#, "Not Found", nil),
      (#"{"detail":[{"msg":"missing"},{"msg":"wrong type"}]}"#, "missing; wrong type", nil),
      (#""Unauthorized""#, "Unauthorized", nil),
      (#"{"error":{"message":"two\nlines"}}"#, "two lines", nil),
    ] as [(String, String, String?)])
  func serverSentenceIsFoundInEveryShape(body: String, sentence: String, type: String?) {
    let said = ServerSentence(in: Array(body.utf8))
    #expect(said?.text == sentence)
    #expect(said?.type == type)
  }

  @Test(arguments: ["", "<html>Bad gateway</html>", "[]", "{}", #"{"error":17}"#, #"{"error":""}"#])
  func bodiesWithoutSentenceGiveNone(body: String) {
    #expect(ServerSentence(in: Array(body.utf8)) == nil)
  }

  @Test func longSentenceIsCutShort() {
    let body = #"{"error":"\#(String(repeating: "x", count: 5_000))"}"#
    #expect(failure(400, body).error.message.count < 400)
  }

  @Test func tokenThatTheBackendSentBackIsNotPassedOn() {
    let body = #"{"error":{"message":"Incorrect API key provided: sk-secret-1"}}"#
    let error = failure(401, body, token: BearerToken("sk-secret-1")).error
    #expect(!error.message.contains("sk-secret-1"))
    #expect(error.message.contains("Incorrect API key provided: [token]"))
  }

  @Test func tokenIsTakenOutBeforeASentenceIsCut() {
    let token = "sk-" + String(repeating: "s", count: 40)
    let sentence = String(repeating: "x", count: ServerSentence.charactersMax - 10) + token
    let error = failure(401, #"{"error":"\#(sentence)"}"#, token: BearerToken(token)).error
    #expect(!error.message.contains("sk-"))
  }

  private func failure(
    _ status: Int, _ body: String = "{}", dialect: DialectName = .openai,
    retryAfter: Duration? = nil, token: BearerToken? = nil
  ) -> RequestFailure {
    var configuration = RemoteEngineConfiguration(
      name: "hub", baseURL: "http://hub", models: [.init(name: "m")])
    configuration.dialect = dialect
    return RequestFailure(
      status: status, body: Array(body.utf8), retryAfter: retryAfter, token: token,
      configuration: configuration)
  }
}

extension EngineError.Code {
  fileprivate var pageName: String {
    switch self {
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}
