import Foundation
public import Scoring

/// One remote backend: where it is, how it is asked, and what bounds the asking.
public struct RemoteEngineConfiguration: Sendable, Equatable {
  /// A model as jobs name it, and as the backend does.
  public struct Model: Sendable, Equatable {
    /// As jobs name it.
    public var name: String
    /// As requests to the backend name it.
    public var servedName: String
    /// As the backend's answers name it, where that differs from ``servedName``; an answer that names
    /// any other model is refused.
    public var answeredName: String
    /// Tokens of one (query, document) pair, prompt included.
    public var contextTokens = 32_768
    /// Tokens of ``contextTokens`` that the prompt's own text takes.
    public var reservedTokens = 200
    public var acceptsImages = false
    public var scoreKind = ScoreKind.sigmoid
    /// A Hugging Face folder with the model's tokenizer, for exact counts; nil estimates from above.
    public var tokenizerFolder: String?

    public init(name: String, servedName: String? = nil, answeredName: String? = nil) {
      self.name = name
      self.servedName = servedName ?? name
      self.answeredName = answeredName ?? servedName ?? name
    }
  }

  /// Where the Bearer token is read from, each time that it is needed.
  public enum Credentials: Sendable, Equatable {
    case none
    /// The name of an environment variable.
    case environment(String)
    /// The path of a file that holds the token and nothing else but white space around it.
    case file(String)
  }

  /// Results say that this engine scored them.
  public var name: String
  /// Scheme, host, port and, where the API lies below one, a path: "https://hub.example/tenant".
  /// "/v1/rerank" and "/v1/models" are appended.
  public var baseURL: String
  public var credentials = Credentials.none
  public var models: [Model]

  /// Until a connection stands, TLS included.
  public var connectTimeout = Duration.seconds(5)
  /// From the first byte sent to the last received; the job's own deadline may be nearer.
  public var responseTimeout = Duration.seconds(120)
  /// How long the model rests after the backend refused the credentials, where the backend named no
  /// time: one job is then tried again.
  public var credentialsPause = Duration.seconds(60)

  /// Requests under way at once; more wait for their turn.
  public var concurrentRequestsMax = 8
  /// Documents of one request.
  public var documentsMax = 1_000
  /// Bytes of a request's body.
  public var requestBytesMax = 64 << 20
  /// Bytes of an answer's body. Backends that send the documents back need as much as requests do.
  public var responseBytesMax = 64 << 20

  public init(name: String, baseURL: String, models: [Model]) {
    self.name = name
    self.baseURL = baseURL
    self.models = models
  }
}

extension RemoteEngineConfiguration {
  /// What is wrong with which key.
  public struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
    public var key: String
    public var message: String

    public var description: String { "\(key): \(message)" }
  }

  /// - Throws: ``Invalid`` for the first key that no engine can work with.
  public func validate() throws(Invalid) {
    guard !name.isEmpty else { throw Invalid(key: "name", message: "give the backend a name") }
    let url = URL(string: baseURL)
    guard let url, let host = url.host(), !host.isEmpty, ["http", "https"].contains(url.scheme)
    else { throw Invalid(key: "base_url", message: "must be an http or https URL with a host") }
    guard url.user == nil, url.password == nil, url.query == nil, url.fragment == nil else {
      throw Invalid(
        key: "base_url", message: "takes no user, query or fragment; use credentials for a token")
    }
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
    }
    let counts = [
      ("concurrent_requests_max", concurrentRequestsMax), ("documents_max", documentsMax),
      ("request_bytes_max", requestBytesMax), ("response_bytes_max", responseBytesMax),
    ]
    for (key, value) in counts where value < 1 {
      throw Invalid(key: key, message: "must be at least 1")
    }
    let times = [
      ("connect_timeout", connectTimeout), ("response_timeout", responseTimeout),
      ("credentials_pause", credentialsPause),
    ]
    for (key, value) in times where value <= .zero {
      throw Invalid(key: key, message: "must be more than 0")
    }
  }
}
