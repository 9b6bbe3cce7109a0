/// What is wrong with data to evaluate on: in which file and line, and what is wanted.
public struct EvaluationError: Error, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// A line does not follow its format.
    case malformedLine
    /// A line contradicts an earlier one, such as a document that is named twice.
    case contradiction
    /// Files that do not belong together, such as candidates that the corpus does not have.
    case mismatch
    /// A setting out of its range.
    case invalidSetting
  }

  public var code: Code
  public var message: String
  public var underlying: (any Error)?

  public init(code: Code, message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }

  public var description: String { message }
}
