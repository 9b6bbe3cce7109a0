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
    section.choice("dialect", into: &dialect)
    switch (try section.string("token_env"), try section.string("token_file")) {
    case (nil, nil): credentials = .none
    case (let variable?, nil): credentials = .environment(variable)
    case (nil, let path?): credentials = .file(path)
    case (.some, .some):
      throw section.error("token_file", "give token_env or token_file, not both")
    }
    read(limits: section)
    section.time("connect_timeout", into: &connectTimeout)
    section.time("response_timeout", into: &responseTimeout)
    section.time("credentials_pause", into: &credentialsPause)
    section.time("credentials_poll", into: &credentialsPoll)
    section.time("golden_pair_pause", into: &goldenPairPause)
    read(tls: section.section("tls"))
    let proxy = section.section("proxy")
    let credentialsVariable = try proxy.string("credentials_env")
    if let url = try proxy.string("url") {
      self.proxy = Proxy(url: url, credentialsVariable: credentialsVariable)
    } else if credentialsVariable != nil {
      throw proxy.error("credentials_env", "says whose without a url")
    }
  }

  private mutating func read(limits section: ConfigurationSection) {
    section.count("concurrent_requests_max", into: &concurrentRequestsMax, in: 1...10_000)
    section.count("requests_per_minute", into: &requestsPerMinute, in: 1...1_000_000_000)
    section.count("tokens_per_minute", into: &tokensPerMinute, in: 1...1_000_000_000_000)
    section.count("documents_max", into: &documentsMax, in: 1...1_000_000)
    section.count("request_tokens_max", into: &requestTokensMax, in: 1...1_000_000_000_000)
    section.size("request_bytes_max", into: &requestBytesMax)
    section.size("response_bytes_max", into: &responseBytesMax)
    section.count("bisection_requests_max", into: &bisectionRequestsMax, in: 1...10_000)
  }

  private mutating func read(tls section: ConfigurationSection) {
    section.text("ca_file", into: &tls.authoritiesFile)
    section.text("certificate_file", into: &tls.certificateFile)
    section.text("key_file", into: &tls.keyFile)
    section.flag("insecure", into: &tls.isInsecure)
  }

  /// The `backends` of the file, each with those of the models that name it. One that no model
  /// names is left out: nobody could ask it for anything.
  static func list(
    _ file: ConfigurationSection
  ) -> (models: [ModelSettings], backends: [RemoteEngineConfiguration]) {
    var declared: [(section: ConfigurationSection, backend: RemoteEngineConfiguration)] = []
    var names: Set<String> = []
    for section in file.sections("backends") {
      section.noting {
        // Its name counts even where the rest is wrong: its models are not to blame.
        let name = try section.string("name") ?? ""
        if !name.isEmpty, !names.insert(name).inserted {
          throw section.error("name", "\"\(name)\" is named twice")
        }
        declared.append((section, try RemoteEngineConfiguration(section)))
      }
    }
    let models = ModelSettings.list(file, backends: names)
    var used: [RemoteEngineConfiguration] = []
    for (section, declared) in declared {
      var backend = declared
      backend.models = models.compactMap { $0.remoteModel(of: backend.name) }
      guard !backend.models.isEmpty else { continue }
      section.noting {
        do throws(Invalid) {
          try backend.validate()
        } catch {
          throw place(error, of: backend, section, models, file)
        }
      }
      used.append(backend)
    }
    return (models, used)
  }

  /// A model is the backend's, and stands among the file's.
  private static func place(
    _ error: Invalid, of backend: RemoteEngineConfiguration, _ section: ConfigurationSection,
    _ models: [ModelSettings], _ file: ConfigurationSection
  ) -> ConfigurationError {
    guard let (_, position, key) = error.key.wholeMatch(of: /models\[(\d+)\]\.(.+)/)?.output,
      let position = Int(position), backend.models.indices.contains(position),
      let index = models.firstIndex(where: { $0.name == backend.models[position].name })
    else { return section.error(error.key, error.message) }
    return file.error("models[\(index)].\(key)", error.message)
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
  init(_ section: ConfigurationSection, isRemote: Bool) {
    guard isRemote else { return }
    section.text("answered_name", into: &answeredName)
    section.choice("score_kind", into: &scoreKind)
    section.choice("answered_scores", into: &answeredScoreKind)
    section.flag("listwise", into: &isListwise)
    section.flag("golden_pair", into: &checksGoldenPair)
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
