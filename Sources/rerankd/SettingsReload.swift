import Logging
import Settings
import Synchronization

/// Reads a role's settings anew when SIGHUP asks for it. A configuration with anything wrong in it
/// changes nothing; of a right one, what the role can take while it runs holds from then on, and the
/// log says which keys wait for a restart.
final class SettingsReload: Sendable {
  private let layers: ConfigurationLayers
  private let role: ConfigurationRole
  private let logger: Logger
  private let level: SharedLogLevel
  private let settings: Mutex<[Setting]>

  init(
    _ layers: ConfigurationLayers, running: DaemonConfiguration, role: ConfigurationRole,
    level: SharedLogLevel, logger: Logger
  ) {
    self.layers = layers
    self.role = role
    self.level = level
    self.logger = logger
    settings = Mutex(running.settings)
  }

  /// - Parameter apply: hands the role its part of the new configuration.
  /// - Returns: false when it is wrong, and nothing was changed.
  @discardableResult
  func reload(_ apply: (DaemonConfiguration) async -> Void) async -> Bool {
    let new: DaemonConfiguration
    do {
      new = try DaemonConfiguration.load(layers)
    } catch let error as ConfigurationError {
      for problem in error.all { logger.error("settings not reloaded: \(problem)") }
      return false
    } catch {
      logger.error("settings not reloaded: \(error)")
      return false
    }
    let plan = ReloadPlan(from: settings.withLock { $0 }, to: new.settings, role: role)
    await apply(new)
    level.set(new.log)
    // What waits for a restart stays as it was, so that it is said again with the next reload.
    settings.withLock { running in
      let waiting = Set(plan.needsRestart.map(\.key))
      running =
        new.settings.filter { !waiting.contains($0.key) }
        + running.filter { waiting.contains($0.key) }
    }
    for change in plan.applied { logger.notice("setting changed: \(change)") }
    for change in plan.needsRestart {
      logger.warning("setting needs a restart of this process: \(change)")
    }
    logger.notice(
      "settings reloaded",
      metadata: [
        "changed": "\(plan.applied.count)", "need_restart": "\(plan.needsRestart.count)",
      ])
    return true
  }
}
