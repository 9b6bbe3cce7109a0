import Yams

/// One reading of a configuration: its layers, what was found of each setting, and what is wrong.
/// The sections of a file share it.
final class ConfigurationReading {
  let file: String
  private let variables: [String: String]
  private let flags: [String: FlagValue]
  private var askedVariables: Set<String> = []
  private var positions: [String: Int] = [:]
  private(set) var settings: [Setting] = []
  private(set) var problems: [ConfigurationError] = []

  init(file: String, environment: [String: String] = [:], flags: [FlagValue] = []) {
    self.file = file
    variables = SettingVariable.settings(in: environment)
    // The last of a flag that was given twice.
    self.flags = Dictionary(flags.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
  }

  /// What a key has: a flag's text, a variable's, or the file's node.
  func value(of key: String, inFile node: Node?) -> (node: Node, origin: SettingOrigin)? {
    let variable = SettingVariable.name(of: key)
    askedVariables.insert(variable)
    if let flag = flags[key] { return (Node(flag.value), .flag(flag.flag)) }
    if let text = variables[variable] { return (Node(text), .environment(variable)) }
    return node.map { ($0, .file(file, line: $0.mark?.line ?? 0)) }
  }

  /// How many entries the environment's variables give to a list of mappings.
  func entryCount(of key: String) -> Int {
    let name = SettingVariable.name(of: key) + SettingVariable.separator
    var count = 0
    while variables.keys.contains(where: {
      $0.hasPrefix("\(name)\(count)\(SettingVariable.separator)")
    }) { count += 1 }
    return count
  }

  func record(_ setting: Setting) {
    if let position = positions[setting.key] {
      settings[position] = setting
    } else {
      positions[setting.key] = settings.count
      settings.append(setting)
    }
  }

  /// What holds where nothing was said.
  func record(defaultOf key: String, _ value: String?) {
    guard let position = positions[key], settings[position].origin == .builtInDefault
    else { return }
    settings[position].value = value
  }

  /// Where a key, or else what it belongs to, was said; nil for defaults.
  func place(of key: String) -> String? {
    guard let position = positions[key] else { return nil }
    let origin = settings[position].origin
    return origin == .builtInDefault ? nil : "\(origin)"
  }

  /// The path of a key that lies somewhere below a section.
  func path(of key: String, below section: String) -> String {
    let found = settings.first {
      $0.key.hasPrefix("\(section).") && $0.key.hasSuffix(".\(key)")
    }
    return found?.key ?? "\(section).\(key)"
  }

  func note(_ problem: ConfigurationError) {
    problems.append(problem)
  }

  /// Notes the variables that nobody asked for.
  func noteUnknownVariables() {
    for name in variables.keys.sorted() where !askedVariables.contains(name) {
      note(
        ConfigurationError(
          place: name, key: "environment",
          message: "no setting has this variable; its name is \(SettingVariable.prefix) and the "
            + "setting's path in capitals, with \(SettingVariable.separator) between the names"))
    }
  }
}
