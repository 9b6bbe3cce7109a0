import EmbeddedEngine
import Foundation
import GatewayRole
import Ledger
import Observability
import QueueRole
import Settings
import ZeroMQ

/// Reads what can be read of this machine, and has it judged.
struct Examination {
  /// The file, the environment, and whose parts of it are meant.
  var layers: ConfigurationLayers
  /// Whether the models are loaded.
  var loadsModels: Bool
  /// What the queues say, where any was asked.
  var readings: [QueueReading]
  /// Of this program.
  var version: String

  func run() -> [Check] {
    let machine = [
      Check.zeroMQ(version: ZeroMQLibrary.version, hasCurve: ZeroMQLibrary.hasCurve),
      Check.sqlite(version: LedgerConfiguration.sqliteVersion), Check.processor(.best),
    ]
    let findings = DaemonConfiguration.findings(layers)
    let source = layers.path ?? "the defaults"
    let queues = readings.flatMap { Check.queue($0, version: version) }
    // Nothing more can be said of what cannot be read; its findings say why.
    guard let configuration = try? DaemonConfiguration.load(layers) else {
      return machine + Check.configuration(source, findings) + queues
    }
    return machine + limits(configuration)
      + Check.configuration(source, findings)
      + Check.secrets(
        findings,
        files: configuration.settings.count {
          DaemonConfiguration.isSecretFile($0.key) && $0.value != nil
        })
      + Check.ledger(
        Volume(ofFile: configuration.queue.ledger.path),
        freeBytesReserve: configuration.queue.ledger.freeBytesReserve)
      + listening(configuration) + (loadsModels ? models(configuration) : []) + queues
  }

  private func limits(_ configuration: DaemonConfiguration) -> [Check] {
    var files = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    let shell = configuration.queue.shell
    let sizes = [
      shell.bodyCacheBytesMax, shell.resultCacheBytesMax, configuration.gateway.bodyBytesTotalMax,
    ]
    let caches = sizes.reduce(UInt64(0)) { sum, size in
      let (next, overflow) = sum.addingReportingOverflow(UInt64(size))
      return overflow ? .max : next
    }
    return [
      Check.openFiles(
        soft: UInt64(files.rlim_cur), hard: UInt64(files.rlim_max),
        needed: UInt64(shell.openFilesMax)),
      Check.memory(limit: MemoryLimit().bytes.map { UInt64($0) }, caches: caches),
    ]
  }

  private func listening(_ configuration: DaemonConfiguration) -> [Check] {
    let queueAnswers = readings.contains { $0.status != nil }
    return configuration.settings
      .filter { Self.listenKeys.contains($0.key) }
      .compactMap { setting in setting.value.flatMap { ListenAddress(key: setting.key, $0) } }
      .map { Check.listen($0, queueAnswers: queueAnswers) }
  }

  /// What workers of this configuration would load; a folder that is not here is another machine's.
  private func models(_ configuration: DaemonConfiguration) -> [Check] {
    configuration.models.compactMap { model in
      let path: String
      switch model.source {
      case .builtIn: path = ModelLocation.builtIn
      case .folder(let folder): path = folder
      case .backend: return nil
      }
      guard let location = ModelLocation(argument: path), location.exists else { return nil }
      return Check.model(
        model.name, files: path,
        loaded: Result { try location.files.load(name: model.name, precision: .auto).precision })
    }
  }

  private static let listenKeys: Set = [
    "queue.sockets.producers", "queue.sockets.workers", "queue.sockets.intake",
    "queue.metrics.listen", "gateway.listen", "gateway.metrics.listen",
  ]
}
