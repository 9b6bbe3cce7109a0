import EmbeddedEngine
import RemoteEngine

/// One entry of `models`: the catalogue that the queue admits, and where workers take each from.
package struct ModelSettings: Sendable, Equatable {
  package enum Source: Sendable, Equatable {
    /// The weights inside the binary.
    case builtIn
    /// A Hugging Face folder on the worker's machine.
    case folder(String)
    /// An entry of `backends`, and the model's name there.
    case backend(String, servedName: String?)
  }

  /// What the catalogue holds when the configuration names no model.
  package static let builtIn = ModelSettings(
    name: "builtin", source: .builtIn, contextTokens: EmbeddedModel.builtInContextTokens,
    reservedTokens: EmbeddedModel.builtInReservedTokens, acceptsImages: false)

  package var name: String
  package var source: Source
  package var contextTokens: Int
  package var reservedTokens: Int
  package var acceptsImages: Bool
  /// A folder with the tokenizer of a backend's model, on the worker's machine. Without it tokens
  /// are estimated, from above.
  package var tokenizerFolder: String?
  package var remote = RemoteModelSettings()
  /// What the catalogue says of the model without knowing it, for the log.
  package var notice: String?
  /// Models that may score its jobs while its backend takes nothing, where a job allows it.
  package var fallbacks: [String] = []

  package init(
    name: String, source: Source, contextTokens: Int, reservedTokens: Int, acceptsImages: Bool
  ) {
    self.name = name
    self.source = source
    self.contextTokens = contextTokens
    self.reservedTokens = reservedTokens
    self.acceptsImages = acceptsImages
  }

  init(_ section: ConfigurationSection) throws {
    guard let name = try section.string("name"), !name.isEmpty else {
      throw section.error("name", "each model needs a name, which jobs ask for")
    }
    self.name = name
    let folder = try section.string("folder")
    let backend = try section.string("backend")
    let servedName = try section.string("served_name")
    switch (folder, backend) {
    case (nil, nil):
      source = .builtIn
    case (let folder?, nil):
      source = .folder(folder)
    case (nil, let backend?):
      source = .backend(backend, servedName: servedName)
    case (.some, .some):
      throw section.error("backend", "a model comes from a folder or from a backend, not from both")
    }
    let isRemote = backend != nil
    if !isRemote, servedName != nil {
      throw section.error("served_name", "only a backend's model has one")
    }
    tokenizerFolder = try section.string("tokenizer_folder")
    if !isRemote, tokenizerFolder != nil {
      throw section.error("tokenizer_folder", "only a backend's model has one of its own")
    }
    remote = RemoteModelSettings(section, isRemote: isRemote)
    section.texts("fallbacks", into: &fallbacks)
    if !isRemote, !fallbacks.isEmpty {
      throw section.error(
        "fallbacks", "only a backend's model has them, since only a backend can be away")
    }
    let window = ModelWindow(of: source)
    let context = try section.integer("context_tokens", in: 1...10_000_000)
    contextTokens = context ?? window.contextTokens
    section.recordDefault("context_tokens", "\(contextTokens)")
    let reserved = try section.integer("reserved_tokens", in: 0...contextTokens - 1)
    reservedTokens = reserved ?? min(window.reservedTokens, contextTokens - 1)
    section.recordDefault("reserved_tokens", "\(reservedTokens)")
    if let problem = window.problem, context == nil || reserved == nil {
      notice =
        "model \(name): \(problem); the catalogue says that a pair takes \(contextTokens) tokens, "
        + "\(reservedTokens) of them reserved: state context_tokens and reserved_tokens if it does not"
    }
    acceptsImages = false
    section.flag("images", into: &acceptsImages)
    if acceptsImages, !isRemote {
      throw section.error("images", "the embedded engine scores text alone")
    }
  }

  /// The backend that serves it; nil for the embedded engine.
  package var backend: String? {
    if case .backend(let name, _) = source { name } else { nil }
  }

  /// The `models` of the file. Names given twice, backends that are not declared, and fallbacks that
  /// are none of the models are problems of the file.
  static func list(_ file: ConfigurationSection, backends: Set<String>) -> [ModelSettings] {
    let sections = file.sections("models")
    var models: [(section: ConfigurationSection, model: ModelSettings)] = []
    var names: Set<String> = []
    for section in sections {
      section.noting {
        let name = try section.string("name") ?? ""
        if !name.isEmpty, !names.insert(name).inserted {
          throw section.error("name", "\"\(name)\" is named twice")
        }
        let model = try ModelSettings(section)
        models.append((section, model))
        if case .backend(let backend, _) = model.source, !backends.contains(backend) {
          throw section.error("backend", "no backend is named \"\(backend)\"; see backends")
        }
      }
    }
    for (section, model) in models {
      for (index, fallback) in model.fallbacks.enumerated()
      where fallback == model.name || model.fallbacks[..<index].contains(fallback)
        || !names.contains(fallback)
      {
        section.noting {
          throw section.error(
            "fallbacks", "\"\(fallback)\" must be another of the models, named once")
        }
      }
    }
    return models.isEmpty ? [.builtIn] : models.map(\.model)
  }
}
