import Scoring

/// What an HTTP status means for a job: the one place that decides it. The module's page has the
/// same rows for people, and a test holds the two together.
enum FailureTable {
  typealias DialectName = RemoteEngineConfiguration.DialectName

  struct Row: Sendable {
    /// As the module's page says it.
    var label: String
    var statuses: [ClosedRange<Int>]
    /// nil for all.
    var dialects: Set<DialectName>?
    /// The row is for answers that have one of these, in lower case, in the server's sentence or
    /// its type of error; empty for all.
    var said: [String] = []
    var code: EngineError.Code
    var isRetryable: Bool
    var spendsAttempt = true
    var fault: BackendFault?
    var blame = RequestFailure.Blame.backend
    var advice: String?
  }

  /// The first row that fits counts.
  static func row(for status: Int, said: ServerSentence?, dialect: DialectName) -> Row {
    let words = [said?.text, said?.type].compactMap { $0?.lowercased() }
    return rows.first { row in
      row.statuses.contains { $0.contains(status) }
        && row.dialects?.contains(dialect) ?? true
        && (row.said.isEmpty || row.said.contains { mark in words.contains { $0.contains(mark) } })
    } ?? success
  }

  /// A success without scores, or a status that HTTP does not know.
  static let success = Row(
    label: "a success other than 200", statuses: [], code: .internal, isRetryable: true,
    fault: .unavailable)

  static let rows: [Row] = [
    Row(
      label: "400, 422 for a pair that is too long", statuses: [400...400, 422...422],
      said: [
        "exceed_context_size", "context length", "context size", "too large to process",
        "must have less than", "too many tokens", "too long",
      ], code: .invalidArgument, isRetryable: false, blame: .document),
    Row(
      label: "500 for a pair that is too long (`llama`)", statuses: [500...500],
      dialects: [.llama], said: ["too large to process", "exceed_context_size", "context size"],
      code: .invalidArgument, isRetryable: false, blame: .document),
    Row(
      label: "400, 413, 422 for too many documents", statuses: [400...400, 413...413, 422...422],
      said: [
        "batch size", "too many documents", "too many texts", "too many inputs",
        "number of documents",
      ], code: .invalidArgument, isRetryable: false, blame: .tooManyDocuments),
    Row(
      label: "413 (`tei`)", statuses: [413...413], dialects: [.tei], code: .invalidArgument,
      isRetryable: false, blame: .tooManyDocuments),
    Row(
      label: "413", statuses: [413...413], code: .invalidArgument, isRetryable: false,
      blame: .tooManyBytes),
    Row(
      label: "400, 422", statuses: [400...400, 422...422], code: .invalidArgument,
      isRetryable: false, blame: .request),
    Row(
      label: "498 (`cohere`): a text with a forbidden token", statuses: [498...498],
      dialects: [.cohere], code: .invalidArgument, isRetryable: false, blame: .document),
    Row(
      label: "401", statuses: [401...401], code: .unauthenticated, isRetryable: true,
      spendsAttempt: false, fault: .credentialsRefused,
      advice: "Check the token; the backend rests until it changes."),
    Row(
      label: "402, 403", statuses: [402...403], code: .permissionDenied, isRetryable: true,
      spendsAttempt: false, fault: .credentialsRefused,
      advice: "Check what the account may use; the backend rests until then."),
    Row(
      label: "407", statuses: [407...407], code: .unauthenticated, isRetryable: true,
      spendsAttempt: false, fault: .credentialsRefused,
      advice: "Check the proxy's credentials."),
    Row(
      label: "404", statuses: [404...404], code: .notFound, isRetryable: false, blame: .request,
      advice: "Check the base URL and the model's served name."),
    Row(
      label: "405, 501", statuses: [405...405, 501...501], code: .unimplemented,
      isRetryable: false, blame: .request,
      advice: "The server at the base URL has no rerank API, or was started without it."),
    Row(
      label: "408, 504", statuses: [408...408, 504...504], code: .deadlineExceeded,
      isRetryable: true, fault: .unavailable),
    Row(
      label: "429", statuses: [429...429], code: .resourceExhausted, isRetryable: true,
      fault: .rateLimited),
    Row(
      label: "503 while the model is loaded (`llama`)", statuses: [503...503],
      dialects: [.llama], said: ["loading"], code: .unavailable, isRetryable: true,
      spendsAttempt: false, fault: .unavailable),
    Row(
      label: "424 (`tei`)", statuses: [424...424], dialects: [.tei], code: .internal,
      isRetryable: true, fault: .unavailable, blame: .unclear),
    Row(
      label: "424, 425, 499, 502, 503",
      statuses: [424...425, 499...499, 502...503], code: .unavailable, isRetryable: true,
      fault: .unavailable),
    Row(
      label: "500", statuses: [500...500], code: .internal, isRetryable: true,
      fault: .unavailable, blame: .unclear),
    Row(
      label: "any other 5xx", statuses: [501...599], code: .internal, isRetryable: true,
      fault: .unavailable),
    Row(
      label: "3xx", statuses: [300...399], code: .failedPrecondition, isRetryable: false,
      blame: .request,
      advice: "Redirects are not followed: set the base URL to where they lead."),
    Row(
      label: "any other 4xx", statuses: [400...499], code: .failedPrecondition,
      isRetryable: false, blame: .request),
  ]
}
