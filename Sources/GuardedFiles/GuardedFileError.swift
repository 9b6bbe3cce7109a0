/// A file that cannot be used as what it is for.
public struct GuardedFileError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// It is not there, or cannot be read.
    case unreadable
    /// Others may read a secret, or write a list of who may come in.
    case permissions
    /// It is larger than what belongs there, or no text.
    case content
    /// It is there already.
    case exists
    case unwritable
  }

  public let code: Code
  /// Names the file, never what is in it.
  public let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
