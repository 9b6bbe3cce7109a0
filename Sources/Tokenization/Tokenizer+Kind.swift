extension Tokenizer {
  /// How words become tokens.
  public enum Kind: String, Sendable {
    case wordPiece = "WordPiece"
    case unigram = "Unigram"
    case bytePairs = "byte-pair encoding"
  }

  public var kind: Kind {
    switch pipeline.model {
    case .wordPiece: .wordPiece
    case .unigram: .unigram
    case .bytePairs: .bytePairs
    }
  }
}
