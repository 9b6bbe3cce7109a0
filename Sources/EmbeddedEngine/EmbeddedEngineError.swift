/// Why a model could not be loaded, or an engine not be set up: what was wrong, where, and what to do.
public struct EmbeddedEngineError: Error, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// A file is missing or cannot be read.
    case unreadableFile
    /// A file contradicts its own format.
    case malformedFile
    /// A well-formed model that this engine does not compute.
    case unsupportedModel
    /// A tensor is missing, of the wrong shape, or of a type without meaning here.
    case unusableTensor
    /// The model's golden pair got another score than the manifest states.
    case goldenMismatch
    /// A limit or a name in the engine's configuration makes no sense.
    case invalidConfiguration
  }

  public var code: Code
  public var message: String
  public var underlying: (any Error)?

  public init(code: Code, message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }

  public var description: String {
    underlying.map { "\(message): \($0)" } ?? message
  }
}
