import Foundation
import Scoring

extension RemoteEngineConfiguration {
  /// What is wrong with which key.
  public struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
    public var key: String
    public var message: String

    public var description: String { "\(key): \(message)" }
  }

  /// - Throws: ``Invalid`` for the first key that no engine can work with. No file is read.
  public func validate() throws(Invalid) {
    guard !name.isEmpty else { throw Invalid(key: "name", message: "give the backend a name") }
    let url = URL(string: baseURL)
    guard let url, let host = url.host(), !host.isEmpty, ["http", "https"].contains(url.scheme)
    else { throw Invalid(key: "base_url", message: "must be an http or https URL with a host") }
    guard url.user == nil, url.password == nil, url.query == nil, url.fragment == nil else {
      throw Invalid(
        key: "base_url", message: "takes no user, query or fragment; use credentials for a token")
    }
    try validateModels()
    try validateTransport(isEncrypted: url.scheme == "https")
    try validateBounds()
  }

  private func validateModels() throws(Invalid) {
    guard !models.isEmpty else { throw Invalid(key: "models", message: "name at least one model") }
    for (index, model) in models.enumerated() {
      let key = "models[\(index)]"
      guard !model.name.isEmpty, !model.servedName.isEmpty else {
        throw Invalid(key: "\(key).name", message: "must not be empty")
      }
      guard !models[..<index].contains(where: { $0.name == model.name }) else {
        throw Invalid(key: "\(key).name", message: "\"\(model.name)\" is named twice")
      }
      guard model.reservedTokens >= 0, model.contextTokens > model.reservedTokens else {
        throw Invalid(
          key: "\(key).context_tokens", message: "must be more than reserved_tokens, which is ≥ 0")
      }
      guard answeredScoreKind(of: model) == .raw || model.scoreKind == .sigmoid else {
        throw Invalid(
          key: "\(key).answered_scores",
          message: "raw scores cannot be had from a backend that answers with sigmoid ones")
      }
    }
  }

  private func validateTransport(isEncrypted: Bool) throws(Invalid) {
    guard isEncrypted || tls == TLS() else {
      throw Invalid(key: "tls", message: "is of no use with an http base_url")
    }
    guard (tls.certificateFile == nil) == (tls.keyFile == nil) else {
      throw Invalid(key: "tls.key_file", message: "a client certificate and its key go together")
    }
    guard !tls.isInsecure || tls.authoritiesFile == nil else {
      throw Invalid(
        key: "tls.insecure", message: "with it no certificate is checked against ca_file")
    }
    guard let proxy else { return }
    guard let address = ProxyAddress(proxy.url) else {
      throw Invalid(
        key: "proxy.url", message: "must be http://HOST:PORT or socks5://HOST:PORT and no more")
    }
    guard address.scheme == .http || proxy.credentialsVariable == nil else {
      throw Invalid(key: "proxy.credentials_env", message: "only an http proxy takes credentials")
    }
  }

  private func validateBounds() throws(Invalid) {
    let counts = [
      ("concurrent_requests_max", concurrentRequestsMax), ("documents_max", documentsMax),
      ("requests_per_minute", requestsPerMinute ?? 1), ("tokens_per_minute", tokensPerMinute ?? 1),
      ("request_tokens_max", requestTokensMax ?? 1), ("request_bytes_max", requestBytesMax),
      ("response_bytes_max", responseBytesMax), ("bisection_requests_max", bisectionRequestsMax),
    ]
    for (key, value) in counts where value < 1 {
      throw Invalid(key: key, message: "must be at least 1")
    }
    let times = [
      ("connect_timeout", connectTimeout), ("response_timeout", responseTimeout),
      ("credentials_pause", credentialsPause), ("credentials_poll", credentialsPoll),
      ("golden_pair_pause", goldenPairPause),
    ]
    for (key, value) in times where value <= .zero {
      throw Invalid(key: key, message: "must be more than 0")
    }
  }
}

/// Where a proxy is.
struct ProxyAddress {
  enum Scheme: String {
    case http
    case socks5
  }

  var scheme: Scheme
  var host: String
  var port: Int

  /// nil for what is no such URL, or says more: credentials in it would be seen in every listing.
  init?(_ text: String) {
    guard let url = URL(string: text), let scheme = url.scheme.flatMap(Scheme.init(rawValue:)),
      let host = url.host(), !host.isEmpty, let port = url.port, url.user == nil,
      ["", "/"].contains(url.path()), url.query == nil, url.fragment == nil
    else { return nil }
    (self.scheme, self.host, self.port) = (scheme, host, port)
  }
}
