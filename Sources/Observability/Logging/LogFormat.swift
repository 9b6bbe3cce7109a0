public import Logging

/// How log lines are written.
public enum LogFormat: String, Sendable, CaseIterable {
  /// For people.
  case text
  /// One object a line, for programs.
  case json
}

extension LoggingSystem {
  /// Has all loggers of the process write to its standard error, each line whole. Once a process.
  public static func bootstrap(_ format: LogFormat) {
    switch format {
    case .text:
      bootstrap(
        { label, provider in
          StreamLogHandler.standardError(label: label, metadataProvider: provider)
        }, metadataProvider: .traceContext)
    case .json:
      bootstrap(
        { label, provider in
          JSONLogHandler(label: label, metadataProvider: provider) { line in
            LogLines.standardError.write(line)
          }
        }, metadataProvider: .traceContext)
    }
  }
}
