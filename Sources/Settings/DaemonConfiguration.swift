import Foundation
package import GatewayRole
package import QueueRole
package import RemoteEngine

/// The whole configuration file. Roles take their part; flags go before what it says.
package struct DaemonConfiguration {
  package var models: [ModelSettings]
  package var backends: [RemoteEngineConfiguration]
  package var queue: QueueConfiguration
  package var worker: WorkerSettings
  package var gateway: GatewayConfiguration

  /// - Parameter path: nil takes every default: the built-in model, on loopback.
  /// - Throws: ``ConfigurationError`` naming file, line and key.
  package static func load(path: String?) throws -> DaemonConfiguration {
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

  package init(file: String, text: String) throws {
    let root = try ConfigurationSection(file: file, text: text)
    (models, backends) = try RemoteEngineConfiguration.list(root)
    queue = try QueueConfiguration(
      root.section("queue"), models: models, backends: backends)
    worker = try WorkerSettings(root.section("worker"))
    gateway = try GatewayConfiguration(root.section("gateway"), models: models)
    try root.finish()
  }
}
