import EmbeddedEngine
import Foundation
import Logging
import RemoteEngine
import Scoring
import Settings

/// The engines of one worker: the embedded one with its models, where it has any, and one a backend.
struct EngineSet {
  private let embedded: EmbeddedEngine?
  private let backends: [RemoteRerankEngine]

  var engines: [any RerankEngine] {
    (embedded.map { [$0] } ?? []) + backends
  }

  /// Loads every model, so that a wrong one is found before any job is taken.
  init(
    _ configuration: DaemonConfiguration, embedded settings: EmbeddedEngineConfiguration,
    environment: [String: String],
    onBatch: @escaping @Sendable (_ pairs: Int, _ tokens: Int, _ tokensMax: Int) -> Void,
    logger: Logger
  ) throws {
    let models = try configuration.models.compactMap {
      try EmbeddedModel.load($0, precision: settings.precision)
    }
    for model in models {
      for notice in model.notices { logger.notice("\(model.name): \(notice)") }
    }
    embedded =
      models.isEmpty
      ? nil
      : try EmbeddedEngine(models: models, configuration: settings) {
        onBatch($0.pairs, $0.tokens, $0.tokensMax)
      }
    backends = try configuration.backends.map {
      try RemoteRerankEngine($0, environment: environment, logger: logger)
    }
  }

  func shutdown() async {
    for backend in backends { await backend.shutdown() }
  }
}

extension EmbeddedModel {
  /// nil for a backend's model.
  fileprivate static func load(
    _ settings: ModelSettings, precision: PrecisionSetting
  ) throws -> EmbeddedModel? {
    switch settings.source {
    case .builtIn: try builtIn(name: settings.name, precision: precision)
    case .folder(let path):
      try load(
        folder: URL(filePath: path, directoryHint: .isDirectory), name: settings.name,
        precision: precision)
    case .backend: nil
    }
  }
}
