public import Scoring

/// One remote backend: where it is, how it is asked, and what bounds the asking.
public struct RemoteEngineConfiguration: Sendable, Equatable {
  /// Results say that this engine scored them.
  public var name: String
  /// Scheme, host, port and, where the API lies below one, a path: "https://hub.example/tenant".
  /// The dialect's paths are appended.
  public var baseURL: String
  public var dialect = DialectName.openai
  public var credentials = Credentials.none
  public var models: [Model]
  public var tls = TLS()
  public var proxy: Proxy?

  /// Until a connection stands, TLS included.
  public var connectTimeout = Duration.seconds(5)
  /// Of each request, from the first byte sent to the last received; the job's own deadline may be
  /// nearer.
  public var responseTimeout = Duration.seconds(120)
  /// How long the backend rests after it refused the credentials, where it named no time: one job
  /// is then tried again.
  public var credentialsPause = Duration.seconds(60)
  /// How often a refused token's file is looked at. Nothing is looked at while the token is
  /// accepted.
  public var credentialsPoll = Duration.seconds(1)
  /// How long a model rests that ranked the golden pair wrongly.
  public var goldenPairPause = Duration.seconds(60)

  /// Requests under way at once, over all workers; within each worker as well.
  public var concurrentRequestsMax = 8
  /// Over all workers; nil where the backend has no such limit.
  public var requestsPerMinute: Int?
  public var tokensPerMinute: Int?
  /// Documents of one request. Larger jobs are sent in parts, and the backend may say that it takes
  /// fewer.
  public var documentsMax = 1_000
  /// Tokens of one request, summed over its pairs; nil where the backend has no such limit.
  public var requestTokensMax: Int?
  /// Bytes of a request's body.
  public var requestBytesMax = 64 << 20
  /// Bytes of an answer's body. Backends that send the documents back need as much as requests do.
  public var responseBytesMax = 64 << 20
  /// Requests of one attempt that look for the documents which make a request fail.
  public var bisectionRequestsMax = 64

  public init(name: String, baseURL: String, models: [Model]) {
    self.name = name
    self.baseURL = baseURL
    self.models = models
  }
}

extension RemoteEngineConfiguration {
  /// A model as jobs name it, and as the backend does.
  public struct Model: Sendable, Equatable {
    /// As jobs name it.
    public var name: String
    /// As requests to the backend name it.
    public var servedName: String
    /// As the backend's answers name it, where that differs from ``servedName``; an answer that
    /// names any other model is refused.
    public var answeredName: String
    /// Tokens of one (query, document) pair, prompt included.
    public var contextTokens = 32_768
    /// Tokens of ``contextTokens`` that the prompt's own text takes.
    public var reservedTokens = 200
    public var acceptsImages = false
    /// What results carry.
    public var scoreKind = ScoreKind.sigmoid
    /// What the backend's answers carry. Where it sends raw scores and results carry ``scoreKind``
    /// sigmoid, the sigmoid is taken here, once. nil is the dialect's own.
    public var answeredScoreKind: ScoreKind?
    /// Whether a document's score depends on the others of its request: such a request is never
    /// sent in parts.
    public var isListwise = false
    /// Whether a pair with a known order is scored before the model's first job in a process.
    public var checksGoldenPair = true
    /// A Hugging Face folder with the model's tokenizer, for exact counts; nil estimates from
    /// above.
    public var tokenizerFolder: String?

    public init(name: String, servedName: String? = nil, answeredName: String? = nil) {
      self.name = name
      self.servedName = servedName ?? name
      self.answeredName = answeredName ?? servedName ?? name
    }
  }

  /// Which API a backend speaks.
  public enum DialectName: String, Sendable, Equatable, CaseIterable {
    /// Hosted hubs and vLLM.
    case openai
    case cohere
    case jina
    /// Hugging Face's text-embeddings-inference.
    case tei
    /// llama.cpp's server.
    case llama
  }

  /// Where the Bearer token is read from, each time that it is needed.
  public enum Credentials: Sendable, Equatable {
    case none
    /// The name of an environment variable.
    case environment(String)
    /// The path of a file that holds the token and nothing else but white space around it.
    case file(String)
  }

  /// How an https backend is trusted, and how it trusts us. All files are PEM.
  public struct TLS: Sendable, Equatable {
    /// Authorities that alone are trusted; nil trusts the system's.
    public var authoritiesFile: String?
    /// The client's own certificate, with the chain that leads to it, and its key.
    public var certificateFile: String?
    public var keyFile: String?
    /// Any certificate is taken, so that anybody on the way can read the token and the documents.
    public var isInsecure = false

    public init() {}
  }

  public struct Proxy: Sendable, Equatable {
    /// "http://HOST:PORT", a proxy that tunnels by CONNECT, or "socks5://HOST:PORT".
    public var url: String
    /// The environment variable that holds "USER:PASSWORD" for an http proxy.
    public var credentialsVariable: String?

    public init(url: String, credentialsVariable: String? = nil) {
      self.url = url
      self.credentialsVariable = credentialsVariable
    }
  }
}
