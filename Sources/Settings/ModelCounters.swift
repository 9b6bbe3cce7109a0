import EmbeddedEngine
package import GatewayRole
import Scoring
import Synchronization
import Tokenization

/// How the tokens of the catalogue's models are counted where no engine runs: each model's
/// tokenizer is loaded when it is first asked for, and kept.
package final class ModelCounters: Sendable {
  private let models: [ModelSettings]
  private let loaded = Mutex<[String: any TokenCounter]>([:])

  package init(_ models: [ModelSettings]) {
    self.models = models
  }

  /// - Returns: nil for a model that is not in the catalogue.
  /// - Throws: what the tokenizer's folder has wrong.
  package func model(_ name: String) throws -> CountedModel? {
    guard let settings = models.first(where: { $0.name == name }) else { return nil }
    let counter = try loaded.withLock { loaded in
      if let counter = loaded[name] { return counter }
      let counter = try Self.load(settings)
      loaded[name] = counter
      return counter
    }
    return CountedModel(
      model: EngineModel(
        name: name, contextTokens: settings.contextTokens, reservedTokens: settings.reservedTokens,
        acceptsImages: settings.acceptsImages),
      counter: counter)
  }

  private static func load(_ settings: ModelSettings) throws -> any TokenCounter {
    switch settings.source {
    case .builtIn: try EmbeddedModel.builtIn().tokenCounter
    case .folder(let path): try Tokenizer.load(folder: path)
    case .backend:
      if let folder = settings.tokenizerFolder {
        try Tokenizer.load(folder: folder)
      } else {
        EstimatedTokenCounter()
      }
    }
  }
}
