/// Why a tokenizer could not be made of what a model's folder says.
public struct TokenizationError: Error, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// A file is absent, unreadable or larger than ``TokenizerLimits`` allows.
    case unreadable
    /// A file does not say what its format demands.
    case malformed
    /// The file asks for something that would be tokenized differently here.
    case unsupported
  }

  public var code: Code
  /// What was wrong, where, and what to do.
  public var message: String
  public var underlying: (any Error)?

  public init(code: Code, message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }

  public var description: String { message }
}

/// The bounds of what is read from a model's folder.
public enum TokenizerLimits {
  /// Of tokenizer.json, vocab.txt and tokenizer_config.json, each.
  public static let fileBytesMax = 64 << 20
  public static let vocabularyTokensMax = 2_000_000
  public static let tokenBytesMax = 4_096
  /// Of a byte-pair model.
  public static let mergesMax = 4_000_000
  /// Of normalisers, and of pre-tokenizers.
  public static let stepsMax = 16
  /// Of what a normaliser puts into a text at one place.
  public static let replacementBytesMax = 256
  /// How much longer all normalisers together may make a text by replacing.
  public static let growthMax = 256
  /// Of a WordPiece model's max_input_chars_per_word.
  public static let wordCharactersMax = 10_000
}
