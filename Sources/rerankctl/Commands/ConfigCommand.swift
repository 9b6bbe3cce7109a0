import ArgumentParser
import Foundation
import Settings

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Checks and shows the settings of Rerankd's processes.",
    discussion: """
      rerankctl config check rerankd.yaml
      rerankctl config show --changed
      """,
    subcommands: [Check.self, Show.self])

  /// Which configuration is meant, and how it is printed.
  struct Options: ParsableArguments {
    @Argument(help: "The configuration file; by default the one that RERANKD_CONFIG names.")
    var file: String?

    @Option(name: [.short, .long], help: "How to print: table, json or jsonl.")
    var output = OutputFormat.table

    var environment: [String: String] { ProcessInfo.processInfo.environment }

    var path: String? { file ?? environment["RERANKD_CONFIG"] }

    func layers(_ roles: Set<ConfigurationRole> = []) -> ConfigurationLayers {
      var layers = ConfigurationLayers(path: path, environment: environment, roles: roles)
      // Whether a queue is started with --insecure as well is not the file's to say.
      layers.insecureListenConfirmed = true
      return layers
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says everything that is wrong with a configuration, with file, line and key.",
      discussion: """
        rerankctl config check deploy/rerankd.yaml
        rerankctl config check -o json /etc/rerankd.yaml | jq -r '.[].key'

        Values, unknown keys, names that nothing has, limits that contradict one another, and the
        files that it names on this machine. Variables (RERANKD_…) count as they do for the
        processes. Exit codes: 0 nothing is wrong, or warnings alone; 65 something is.
        """)

    @OptionGroup var options: Options

    func run() throws {
      let findings = DaemonConfiguration.findings(
        options.layers(Set(ConfigurationRole.allCases)))
      try Printer(format: options.output).list(findings.map(FindingView.init)) {
        var table = TextTable([
          ("LEVEL", .left), ("WHERE", .left), ("KEY", .left), ("WHAT", .left),
        ])
        for finding in findings {
          table.append([
            finding.level.rawValue, finding.place ?? "", finding.key, finding.message,
          ])
        }
        return table
      }
      if findings.contains(where: { $0.level == .error }) { throw CommandFailure.wrongInput }
      if options.output == .table, findings.isEmpty {
        CommandFailure.say("\(options.path ?? "the defaults"): nothing is wrong")
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints every setting as it holds, and where it was said.",
      discussion: """
        rerankctl config show /etc/rerankd.yaml
        rerankctl config show --changed
        rerankctl config show -o json | jq '.[] | select(.origin != "default")'

        Where: default, FILE:LINE, or a variable's name. Flags of a process that runs are not known
        here; they go before what this prints.
        """)

    @OptionGroup var options: Options

    @Flag(help: "Leave out what has its default.")
    var changed = false

    func run() throws {
      let settings: [Setting]
      do {
        settings = try DaemonConfiguration.load(options.layers()).settings
      } catch let error as ConfigurationError {
        for problem in error.all { CommandFailure.say("\(problem)") }
        throw CommandFailure.wrongInput
      }
      let shown = settings.filter { !changed || $0.origin != .builtInDefault }
      try Printer(format: options.output).list(shown.map(SettingView.init)) {
        var table = TextTable([("KEY", .left), ("VALUE", .left), ("WHERE", .left)])
        for setting in shown {
          table.append([setting.key, setting.shownValue ?? "", "\(setting.origin)"])
        }
        return table
      }
    }
  }
}

/// A finding, as programs read it.
private struct FindingView: Encodable {
  var level: String
  var place: String?
  var key: String
  var message: String

  init(_ finding: ConfigurationFinding) {
    level = finding.level.rawValue
    place = finding.place
    key = finding.key
    message = finding.message
  }
}

/// A setting, as programs read it.
private struct SettingView: Encodable {
  var key: String
  var value: String?
  var origin: String

  init(_ setting: Setting) {
    key = setting.key
    value = setting.shownValue
    origin = "\(setting.origin)"
  }
}
