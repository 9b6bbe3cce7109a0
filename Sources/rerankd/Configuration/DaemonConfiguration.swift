import Foundation
import GatewayRole
import QueueRole
import RemoteEngine

/// The whole configuration file. Roles take their part; flags go before what it says.
struct DaemonConfiguration {
  var models: [ModelSettings]
  var backends: [RemoteEngineConfiguration]
  var queue: QueueConfiguration
  var worker: WorkerSettings
  var gateway: GatewayConfiguration

  /// - Parameter path: nil takes every default: the built-in model, on loopback.
  /// - Throws: ``ConfigurationError`` naming file, line and key.
  static func load(path: String?) throws -> DaemonConfiguration {
    guard let path else { return try DaemonConfiguration(file: "defaults", text: "") }
    do {
      let text = try String(contentsOfFile: path, encoding: .utf8)
      return try DaemonConfiguration(file: path, text: text)
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw ConfigurationError(
        place: path, key: "--config", message: "cannot be read: \(error.localizedDescription)")
    }
  }

  init(file: String, text: String) throws {
    let root = try ConfigurationSection(file: file, text: text)
    (models, backends) = try RemoteEngineConfiguration.list(root)
    queue = try QueueConfiguration(
      root.section("queue"), models: models, backends: backends)
    worker = try WorkerSettings(root.section("worker"))
    gateway = try GatewayConfiguration(root.section("gateway"), models: models)
    try root.finish()
  }
}
