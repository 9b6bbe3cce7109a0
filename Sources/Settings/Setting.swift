/// One setting as it holds, and where it was said.
package struct Setting: Sendable, Equatable {
  /// The dotted path: "queue.ledger.path", "models[0].name".
  package var key: String
  /// As the file would have it; nil: not given, and without a default of its own.
  package var value: String?
  package var origin: SettingOrigin
}

/// Where a setting was said. What stands first goes before what follows.
package enum SettingOrigin: Sendable, Equatable, CustomStringConvertible {
  /// "--ledger"
  case flag(String)
  /// The variable's name.
  case environment(String)
  case file(String, line: Int)
  case builtInDefault

  package var description: String {
    switch self {
    case .flag(let name): name
    case .environment(let name): name
    case .file(let path, let line): "\(path):\(line)"
    case .builtInDefault: "default"
    }
  }
}

/// A setting given on the command line.
package struct FlagValue: Sendable, Equatable {
  /// The setting's key in the file.
  package var key: String
  /// "--ledger"
  package var flag: String
  package var value: String

  package init(_ flag: String, for key: String, _ value: String) {
    self.flag = flag
    self.key = key
    self.value = value
  }
}

/// A process's part in the system, which reads its part of the configuration.
package enum ConfigurationRole: Sendable, CaseIterable {
  case queue, worker, gateway, supervisor
}

/// Everything that says what a process's settings are: flags go before the environment, and that
/// before the file.
package struct ConfigurationLayers: Sendable {
  /// nil: no file.
  package var path: String?
  package var environment: [String: String]
  package var flags: [FlagValue]
  /// `--insecure`: listening beyond this machine without CURVE keys must be said there as well as in
  /// the file.
  package var insecureListenConfirmed = false
  /// Whose values must be able to work together: a worker's machine need not have what the queue
  /// listens with.
  package var roles: Set<ConfigurationRole>

  package init(
    path: String?, environment: [String: String] = [:], flags: [FlagValue] = [],
    roles: Set<ConfigurationRole> = []
  ) {
    self.roles = roles
    self.path = path
    self.environment = environment
    self.flags = flags
  }
}

/// The variable of a setting: RERANKD_, and then its path in capitals with two underscores between
/// the names, and an entry's number as a name of its own: RERANKD_QUEUE__LEDGER__PATH,
/// RERANKD_BACKENDS__0__BASE_URL.
enum SettingVariable {
  static let prefix = "RERANKD_"
  static let separator = "__"

  static func name(of key: String) -> String {
    prefix
      + key.replacing("[", with: ".").replacing("]", with: "").uppercased()
      .replacing(".", with: separator)
  }

  /// Those of an environment that can only be meant as settings: what has no double underscore is
  /// somebody else's, such as the variables that Kubernetes makes of a service's name.
  static func settings(in environment: [String: String]) -> [String: String] {
    environment.filter { $0.key.hasPrefix(prefix) && $0.key.contains(separator) }
  }
}
