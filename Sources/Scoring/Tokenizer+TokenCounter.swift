public import Tokenization

extension Tokenizer: TokenCounter {
  public var isEstimate: Bool { false }

  /// A token holds at least one character of the normalised text, and normalising makes no more
  /// characters of a scalar than it has bytes.
  public func countMax(_ text: String) -> Int { text.utf8.count }
}
