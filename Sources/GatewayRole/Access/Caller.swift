import HTTPTypes
import Hummingbird

/// On whose behalf a request is made.
struct Caller: Sendable {
  var tenant: String
  /// nil where no tokens are asked for.
  var token: AccessToken?

  /// May see and do everything that the page offers, whoever's job it is.
  var isOperator: Bool { token?.isOperator ?? true }

  func allows(model: String) -> Bool { token?.allows(model: model) ?? true }

  /// - Throws: ``APIError`` 404, as for a model that does not exist: what others have is no concern
  ///   of this client's.
  func requireModel(_ model: String) throws {
    guard allows(model: model) else { throw APIError.unknownModel(model) }
  }
}

/// Who may come in, and how often.
struct AccessControl: Sendable {
  /// The queue's name for jobs that name no tenant.
  static let defaultTenant = "default"

  let file: AccessTokenFile?
  private let limits = RateLimits()

  init(file: AccessTokenFile?) {
    self.file = file
  }

  /// - Parameter countsRequest: whether this is one of the requests that the token may make a
  ///   minute.
  /// - Throws: ``APIError`` 401 without a token that is known, 429 beyond the token's limit.
  func caller(_ request: Request, countsRequest: Bool = true) throws -> Caller {
    guard let file else { return Caller(tenant: Self.defaultTenant) }
    guard let header = request.headers[.authorization] else {
      throw APIError.unauthorized("send a token: Authorization: Bearer TOKEN")
    }
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer", let token = file.token(parts[1])
    else { throw APIError.unauthorized("the token in Authorization is not known here") }
    if countsRequest, let wait = limits.take(token) {
      throw APIError(
        status: .tooManyRequests, type: "rate_limit_error",
        message: "\(token.name) may make \(token.requestsPerMinute ?? 0) requests a minute",
        code: "rate_limit_exceeded", retryAfter: wait)
    }
    return Caller(tenant: token.tenant, token: token)
  }

  /// nil for nobody.
  func knownCaller(_ request: Request) -> Caller? {
    try? caller(request, countsRequest: false)
  }
}
