import RemoteEngine

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
    if try section.string("dialect") ?? "openai" != "openai" {
      throw section.error("dialect", "known dialects: openai")
    }
    switch (try section.string("token_env"), try section.string("token_file")) {
    case (nil, nil): credentials = .none
    case (let variable?, nil): credentials = .environment(variable)
    case (nil, let path?): credentials = .file(path)
    case (.some, .some):
      throw section.error("token_file", "give token_env or token_file, not both")
    }
    connectTimeout = try section.duration("connect_timeout") ?? connectTimeout
    responseTimeout = try section.duration("response_timeout") ?? responseTimeout
    credentialsPause = try section.duration("credentials_pause") ?? credentialsPause
    concurrentRequestsMax =
      try section.integer("concurrent_requests_max", in: 1...10_000) ?? concurrentRequestsMax
    documentsMax = try section.integer("documents_max", in: 1...1_000_000) ?? documentsMax
    requestBytesMax = try section.byteCount("request_bytes_max") ?? requestBytesMax
    responseBytesMax = try section.byteCount("response_bytes_max") ?? responseBytesMax
  }

  /// The `backends` of the file, each with those of the models that name it. One that no model names
  /// is left out: nobody could ask it for anything.
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
        throw section.error(error.key, error.message)
      }
    }
    return (models, used.map(\.1))
  }
}

extension ModelSettings {
  fileprivate func remoteModel(of backend: String) -> RemoteEngineConfiguration.Model? {
    guard case .backend(backend, let servedName) = source else { return nil }
    var model = RemoteEngineConfiguration.Model(name: name, servedName: servedName)
    model.contextTokens = contextTokens
    model.reservedTokens = reservedTokens
    model.acceptsImages = acceptsImages
    model.tokenizerFolder = tokenizerFolder
    return model
  }
}
