internal import GuardedFiles

/// A key file that cannot be used.
public struct AccessKeysError: Error, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// The file is not there, is open to others, or cannot be read or written.
    case file
    /// What is in it is not what belongs there.
    case content
    /// A file, key or name that is there already, or is not.
    case conflict
  }

  public let code: Code
  /// Names the file and, of a list, the line; never a secret.
  public let message: String
  public let underlying: (any Error)?

  init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }

  /// - Parameter what: is in the file.
  init(_ what: String, _ error: GuardedFileError) {
    let code: Code =
      switch error.code {
      case .content: .content
      case .exists: .conflict
      case .permissions, .unreadable, .unwritable: .file
      }
    self.init(code, "\(what) \(error.message)", underlying: error)
  }

  public var description: String { message }
}
