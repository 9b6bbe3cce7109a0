package import Observability

/// The section `log`.
package struct LogSettings: Sendable, Equatable {
  package enum Level: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
  }

  package var level = Level.notice
  package var format = LogFormat.text

  init(_ section: ConfigurationSection) {
    section.choice("level", into: &level)
    section.choice("format", into: &format)
  }
}
