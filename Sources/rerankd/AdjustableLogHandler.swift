import Logging
import Settings
import Synchronization

/// The level of all of a process's loggers, which a new configuration may change.
final class SharedLogLevel: Sendable {
  private let level: Mutex<Logger.Level>

  init(_ settings: LogSettings) {
    level = Mutex(settings.level.logging)
  }

  var value: Logger.Level { level.withLock { $0 } }

  func set(_ settings: LogSettings) {
    level.withLock { $0 = settings.level.logging }
  }
}

extension LogSettings.Level {
  fileprivate var logging: Logger.Level {
    switch self {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    case .critical: .critical
    }
  }
}

/// A log handler whose level is the process's, also after a reload: copies of a logger, which roles
/// keep, would otherwise stay with the level that they were made with.
struct AdjustableLogHandler: LogHandler {
  private var base: any LogHandler
  private let shared: SharedLogLevel

  init(_ base: any LogHandler, level: SharedLogLevel) {
    self.base = base
    self.base.logLevel = .trace
    shared = level
  }

  /// One logger cannot have a level of its own.
  var logLevel: Logger.Level {
    get { shared.value }
    set {}
  }

  var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  var metadataProvider: Logger.MetadataProvider? {
    get { base.metadataProvider }
    set { base.metadataProvider = newValue }
  }

  subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) {
    base.log(event: event)
  }
}
