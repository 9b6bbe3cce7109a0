import Foundation

/// Why a model could not be had from the hub: what was wrong, where, and what to do.
struct HubError: Error, CustomStringConvertible, Equatable {
  enum Code: Equatable {
    /// The hub does not know the token, or wants one.
    case unauthorized
    /// Its author lets in only those who asked.
    case gated
    case notFound
    case revisionNotFound
    /// The repository has no model that the engine reads.
    case unusable
    /// The hub, or where it keeps its files, does not answer, or says that it cannot.
    case unavailable
    /// It answers what no hub does.
    case unexpected
    /// What came is not what the hub lists.
    case corrupt
    /// No room is left.
    case full
    /// This machine refuses a file.
    case file
  }

  var code: Code
  var description: String
  /// The hub's Retry-After.
  var retryAfter: Duration?
  var isRetryable = false

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
    isRetryable = code == .unavailable
  }
}

extension HubError {
  /// What an answer that is no success means.
  ///
  /// The hub tells by `X-Error-Code` what a status leaves open: to whom may not see it, a repository
  /// that is private looks as one that does not exist.
  ///
  /// - Parameters:
  ///   - what: was asked for: a model's name, or a file of it.
  ///   - headers: by their names in lower case.
  init(
    status: Int, headers: [String: String], of model: HubModel, revision: String, what: String,
    host: String, hasToken: Bool
  ) {
    let errorCode = headers["x-error-code"]
    let page = "https://\(host)/\(model)"
    switch (status, errorCode) {
    case (401, "GatedRepo"?), (403, "GatedRepo"?):
      self.init(
        .gated,
        hasToken
          ? "\(model) is gated, and the account of HF_TOKEN is not let in: ask for access at \(page)"
          : "\(model) is gated: ask for access at \(page), then set HF_TOKEN to a token of that account"
      )
    case (_, "RevisionNotFound"?):
      self.init(
        .revisionNotFound,
        "\(model) has no revision \"\(revision)\": --revision takes a branch, a tag or a commit")
    case (401, _):
      self.init(
        .unauthorized,
        hasToken
          ? "\(host) does not take the token of HF_TOKEN for \(model): is it of this hub, still valid, "
            + "and is the name right?"
          : "\(host) shows no \(model): is the name right? If it is private, set HF_TOKEN")
    case (403, _):
      self.init(
        .unauthorized, "\(host) refuses \(what): check what the token of HF_TOKEN may read")
    case (404, "EntryNotFound"?):
      self.init(.notFound, "\(what) is listed and is not there: try again, or another --revision")
    case (404, _), (410, _):
      self.init(
        .notFound,
        "\(host) has no \(what): check the name, which is ORG/NAME as in the address of its page"
          + (hasToken ? "" : "; if it is private, set HF_TOKEN"))
    case (408, _), (425, _), (429, _), (500...599, _):
      self.init(.unavailable, "\(host) answered \(status) for \(what)")
      retryAfter = headers["retry-after"].flatMap { Int64($0) }.map { .seconds(max(0, $0)) }
    default:
      self.init(.unexpected, "\(host) answered \(status) for \(what): does HF_ENDPOINT name a hub?")
    }
  }
}

/// How often the hub is asked again, and after which time: for as long as tries in a row bring
/// nothing, twice as long each time.
struct HubRetries {
  private let configuration: HubConfiguration
  private var failures = 0

  init(_ configuration: HubConfiguration) {
    self.configuration = configuration
  }

  /// Bytes came: whoever gives some will give more.
  mutating func progressed() { failures = 0 }

  /// - Parameter jitter: 0 to 1, so that many who were refused do not come back together.
  /// - Returns: nil when it is time to give up.
  mutating func pause(after error: HubError, jitter: Double) -> Duration? {
    failures += 1
    guard error.isRetryable, failures < configuration.attemptsMax else { return nil }
    if let asked = error.retryAfter {
      return asked <= configuration.retryAfterMax ? asked : nil
    }
    let exponent = Double(min(failures - 1, 30))
    let full = min(configuration.backoffCap, configuration.backoffBase * pow(2, exponent))
    return full * (0.5 + 0.5 * jitter)
  }
}
