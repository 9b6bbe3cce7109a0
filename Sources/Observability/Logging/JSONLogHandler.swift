import Foundation
public import Logging

/// Writes each log event as a ``JSONLogLine``.
public struct JSONLogHandler: LogHandler {
  public var logLevel = Logger.Level.info
  public var metadata: Logger.Metadata = [:]
  public var metadataProvider: Logger.MetadataProvider?
  private let label: String
  private let write: @Sendable (String) -> Void

  /// - Parameter write: takes a line without its end.
  public init(
    label: String, metadataProvider: Logger.MetadataProvider? = nil,
    write: @escaping @Sendable (String) -> Void
  ) {
    self.label = label
    self.metadataProvider = metadataProvider
    self.write = write
  }

  public subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// What the call says goes before what its task says, and that before what its logger says.
  public func log(event: LogEvent) {
    var fields = metadata
    if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
    if let own = event.metadata { fields.merge(own) { $1 } }
    write(
      JSONLogLine.write(
        time: .now, level: event.level, logger: label, message: event.message.description,
        metadata: fields))
  }
}
