import HTTPTypes
import Hummingbird

/// Keeps other web sites' pages, in a browser that reaches the gateway, from speaking to `/ui/api`.
///
/// A site cannot read our answers, since there is no CORS, but it could send requests (CSRF), or
/// have its own name resolve to this machine and be taken for us (DNS rebinding). Where a token is
/// asked for neither gets anywhere, since the token is in this page's own storage and not in a
/// cookie; an open gateway on loopback has these checks alone.
struct PageGuard: Sendable {
  /// Without tokens only names of this machine are answered to.
  let asksForTokens: Bool

  /// What a browser sends across sites only after asking whether it may, and nobody says yes.
  static let header = HTTPField.Name.pageRequest

  /// - Throws: ``APIError`` 403.
  func check(_ request: Request, changes: Bool) throws {
    let authority = request.head.authority?.lowercased() ?? ""
    if !asksForTokens, !GatewayConfiguration.isLoopback(host: Self.host(authority)) {
      throw Self.refusal(
        "without tokens the page is served to this machine's own names alone, not to "
          + "\"\(authority.prefix(100))\"; open it at 127.0.0.1, or give the gateway a token file")
    }
    if let origin = request.headers[.origin]?.lowercased() {
      guard let scheme = origin.firstRange(of: "://"), origin[scheme.upperBound...] == authority
      else {
        throw Self.refusal("this is for the gateway's own page, not for \(origin.prefix(100))")
      }
    }
    if let site = request.headers[.fetchSite], site != "same-origin", site != "none" {
      throw Self.refusal("this is for the gateway's own page, not for others")
    }
    if changes, request.headers[Self.header] == nil {
      throw Self.refusal("what changes something needs the header \(Self.header): 1")
    }
  }

  private static func refusal(_ message: String) -> APIError {
    APIError(
      status: .forbidden, type: "permission_error", message: message, code: "foreign_page")
  }

  /// Without the port, and without the brackets of IPv6.
  private static func host(_ authority: String) -> String {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      return String(authority[authority.index(after: authority.startIndex)..<end])
    }
    return String(authority.prefix { $0 != ":" })
  }

  /// On everything below `/ui`: nothing is loaded from elsewhere, no inline code runs, no text
  /// becomes markup (trusted types), and nobody frames it.
  static func secure(_ headers: inout HTTPFields) {
    headers[.contentSecurityPolicy] = policy
    headers[.xContentTypeOptions] = "nosniff"
    headers[.referrerPolicy] = "no-referrer"
    headers[.crossOriginOpenerPolicy] = "same-origin"
    headers[.crossOriginResourcePolicy] = "same-origin"
    if headers[.cacheControl] == nil { headers[.cacheControl] = "no-store" }
  }

  private static let policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
    "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].joined(separator: "; ")
}

extension HTTPField.Name {
  static let pageRequest = named("X-Rerankd-Page")
  static let fetchSite = named("Sec-Fetch-Site")
  static let referrerPolicy = named("Referrer-Policy")
  static let crossOriginOpenerPolicy = named("Cross-Origin-Opener-Policy")
}
