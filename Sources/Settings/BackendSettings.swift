import RemoteEngine
package import Scoring

extension RemoteEngineConfiguration {
  /// One entry of `backends`; its models come from `models`.
  init(_ section: ConfigurationSection) throws {
    guard let name = try section.string("name"), !name.isEmpty else {
      throw section.error("name", "each backend needs a name")
    }
    guard let baseURL = try section.string("base_url") else {
      throw section.error("base_url", "where the backend is, without /v1/rerank")
    }
    self.init(name: name, baseURL: baseURL, models: [])
    dialect = try section.choice("dialect") ?? dialect
    switch (try section.string("token_env"), try section.string("token_file")) {
    case (nil, nil): credentials = .none
    case (let variable?, nil): credentials = .environment(variable)
    case (nil, let path?): credentials = .file(path)
    case (.some, .some):
      throw section.error("token_file", "give token_env or token_file, not both")
    }
    try read(limits: section)
    try section.time("connect_timeout", into: &connectTimeout)
    try section.time("response_timeout", into: &responseTimeout)
    try section.time("credentials_pause", into: &credentialsPause)
    try section.time("credentials_poll", into: &credentialsPoll)
    try section.time("golden_pair_pause", into: &goldenPairPause)
    try read(tls: section.section("tls"))
    let proxy = try section.section("proxy")
    let credentialsVariable = try proxy.string("credentials_env")
    if let url = try proxy.string("url") {
      self.proxy = Proxy(url: url, credentialsVariable: credentialsVariable)
    } else if credentialsVariable != nil {
      throw proxy.error("credentials_env", "says whose without a url")
    }
  }

  private mutating func read(limits section: ConfigurationSection) throws {
    try section.count("concurrent_requests_max", into: &concurrentRequestsMax, in: 1...10_000)
    requestsPerMinute = try section.integer("requests_per_minute", in: 1...1_000_000_000)
    tokensPerMinute = try section.integer("tokens_per_minute", in: 1...1_000_000_000_000)
    try section.count("documents_max", into: &documentsMax, in: 1...1_000_000)
    requestTokensMax = try section.integer("request_tokens_max", in: 1...1_000_000_000_000)
    try section.size("request_bytes_max", into: &requestBytesMax)
    try section.size("response_bytes_max", into: &responseBytesMax)
    try section.count("bisection_requests_max", into: &bisectionRequestsMax, in: 1...10_000)
  }

  private mutating func read(tls section: ConfigurationSection) throws {
    tls.authoritiesFile = try section.string("ca_file")
    tls.certificateFile = try section.string("certificate_file")
    tls.keyFile = try section.string("key_file")
    tls.isInsecure = try section.boolean("insecure") ?? false
  }

  /// The `backends` of the file, each with those of the models that name it. One that no model
  /// names is left out: nobody could ask it for anything.
  static func list(
    _ file: ConfigurationSection
  ) throws -> (models: [ModelSettings], backends: [RemoteEngineConfiguration]) {
    let sections = try file.sections("backends")
    var backends = try sections.map { try RemoteEngineConfiguration($0) }
    for (index, section) in sections.enumerated()
    where backends[..<index].contains(where: { $0.name == backends[index].name }) {
      throw section.error("name", "\"\(backends[index].name)\" is named twice")
    }
    let models = try ModelSettings.list(file, backends: backends.map(\.name))
    for index in backends.indices {
      backends[index].models = models.compactMap { $0.remoteModel(of: backends[index].name) }
    }
    let used = zip(sections, backends).filter { !$0.1.models.isEmpty }
    for (section, backend) in used {
      do {
        try backend.validate()
      } catch {
        throw place(error, of: backend, section, models)
      }
    }
    return (models, used.map(\.1))
  }

  /// A model is the backend's, and stands among the file's.
  private static func place(
    _ error: Invalid, of backend: RemoteEngineConfiguration, _ section: ConfigurationSection,
    _ models: [ModelSettings]
  ) -> ConfigurationError {
    guard let (_, position, key) = error.key.wholeMatch(of: /models\[(\d+)\]\.(.+)/)?.output,
      let position = Int(position), backend.models.indices.contains(position),
      let index = models.firstIndex(where: { $0.name == backend.models[position].name })
    else { return section.error(error.key, error.message) }
    return ConfigurationError(key: "models[\(index)].\(key)", message: error.message)
  }
}

/// What only a backend's model says of itself.
package struct RemoteModelSettings: Sendable, Equatable {
  package var answeredName: String?
  package var scoreKind = ScoreKind.sigmoid
  package var answeredScoreKind: ScoreKind?
  package var isListwise = false
  package var checksGoldenPair = true

  package init() {}

  /// - Parameter isRemote: whether the entry is a backend's model; any other has none of these
  ///   keys.
  init(_ section: ConfigurationSection, isRemote: Bool) throws {
    guard isRemote else { return }
    answeredName = try section.string("answered_name")
    scoreKind = try section.choice("score_kind") ?? scoreKind
    answeredScoreKind = try section.choice("answered_scores")
    isListwise = try section.boolean("listwise") ?? isListwise
    checksGoldenPair = try section.boolean("golden_pair") ?? checksGoldenPair
  }
}

extension ModelSettings {
  fileprivate func remoteModel(of backend: String) -> RemoteEngineConfiguration.Model? {
    guard case .backend(backend, let servedName) = source else { return nil }
    var model = RemoteEngineConfiguration.Model(
      name: name, servedName: servedName, answeredName: remote.answeredName)
    model.contextTokens = contextTokens
    model.reservedTokens = reservedTokens
    model.acceptsImages = acceptsImages
    model.scoreKind = remote.scoreKind
    model.answeredScoreKind = remote.answeredScoreKind
    model.isListwise = remote.isListwise
    model.checksGoldenPair = remote.checksGoldenPair
    model.tokenizerFolder = tokenizerFolder
    return model
  }
}

extension ConfigurationSection {
  /// One of an enumeration's names.
  fileprivate func choice<Value: RawRepresentable & CaseIterable>(_ key: String) throws -> Value?
  where Value.RawValue == String {
    guard let name = try string(key) else { return nil }
    guard let value = Value(rawValue: name) else {
      let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw error(key, "\"\(name)\" is none of \(names)")
    }
    return value
  }
}
