import Foundation
package import GatewayRole
package import Observability
package import QueueRole
package import RemoteEngine

/// Everything that the processes may be told: one file, whose sections the roles take, with the
/// environment and flags before it (``ConfigurationLayers``).
package struct DaemonConfiguration: Sendable {
  package var models: [ModelSettings]
  package var backends: [RemoteEngineConfiguration]
  package var queue: QueueConfiguration
  package var worker: WorkerSettings
  /// Without its keys, which ``gatewayKeys`` reads.
  package var gateway: GatewayConfiguration
  package var gatewayKeys: QueueKeys
  package var up: UpSettings
  package var log: LogSettings
  package var queueMetrics: MetricsListenerConfiguration
  package var gatewayMetrics: MetricsListenerConfiguration
  package var tracing: TracingConfiguration
  /// All of it, in the order of the sections, and where each value was said.
  package var settings: [Setting]

  /// - Throws: ``ConfigurationError`` with everything that is wrong: place, key and what is wanted.
  package static func load(_ layers: ConfigurationLayers) throws -> DaemonConfiguration {
    guard let path = layers.path else {
      return try DaemonConfiguration(file: "defaults", text: "", layers)
    }
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw ConfigurationError(
        place: path, key: "--config", message: "cannot be read: \(error.localizedDescription)")
    }
    return try DaemonConfiguration(file: path, text: text, layers)
  }

  package init(
    file: String, text: String, _ layers: ConfigurationLayers = ConfigurationLayers(path: nil)
  ) throws {
    let reading = ConfigurationReading(
      file: file, environment: layers.environment, flags: layers.flags)
    let root = try ConfigurationSection(reading, text: text)
    (models, backends) = RemoteEngineConfiguration.list(root)
    let section = root.section("queue")
    queue = QueueConfiguration(section, models: models, backends: backends)
    queue.shell.insecureListenConfirmed = layers.insecureListenConfirmed
    worker = WorkerSettings(root.section("worker"))
    up = UpSettings(root.section("up"))
    log = LogSettings(root.section("log"))
    queueMetrics = MetricsListenerConfiguration(section, host: "127.0.0.1", port: 7881)
    tracing = TracingConfiguration(root.section("tracing"), environment: layers.environment)
    // Of a wrong endpoint nothing else can be made: the problem is said alone.
    let gatewaySection = root.section("gateway")
    gatewayKeys = QueueKeys(gatewaySection, name: "gateway")
    gateway = try GatewayConfiguration(gatewaySection, models: models)
    gatewayMetrics = MetricsListenerConfiguration(gatewaySection, host: "127.0.0.1", port: 7879)
    // Values that are wrong alone would be blamed once more for not going together.
    let isReadWell = reading.problems.isEmpty
    if isReadWell, layers.roles.contains(.queue), let (key, message) = queue.problem {
      section.noting { throw root.error("queue.\(key)", message) }
    }
    if isReadWell, layers.roles.contains(.gateway), let (key, message) = gateway.firstProblem {
      section.noting { throw root.error(reading.path(of: key, below: "gateway"), message) }
    }
    try root.finish()
    settings = reading.settings
  }
}
