import EmbeddedEngine
import Scoring

/// Whether a model's tokenizer takes texts of many scripts apart and together again: every token is
/// in the vocabulary, some of each text is known to it, and a text that is cut after so many tokens
/// has the whole one's first tokens.
struct TokenizerCheck {
  let model: EmbeddedModel
  let vocabulary: ModelDescription

  static let texts = [
    "The quick brown fox jumps over the lazy dog; it costs $3.50 (or 2,99 €).",
    "Über Straßen, naïve cafés and Ærøskøbing.", "東京は日本の首都です。", "Москва — столица России.",
    "القاهرة عاصمة مصر", "हिन्दी एक भाषा है", "👩‍👩‍👧 🇫🇷 ok", "a\u{0}b\tc\r\nd",
  ]

  /// - Returns: what was found.
  func run() throws -> String {
    var unknown = 0
    var count = 0
    for text in Self.texts {
      let tokens = model.tokens(of: text)
      guard tokens.allSatisfy({ (0..<vocabulary.vocabularyCount).contains(Int($0)) }) else {
        throw InputError("a token of \(text.debugDescription) is not in the vocabulary")
      }
      count += tokens.count
      unknown += tokens.count { $0 == model.unknownToken }
      try checkCuts(text, tokens)
    }
    guard unknown < count else { throw InputError("it knows no token of any sample text") }
    return "\(vocabulary.tokenizer), \(vocabulary.vocabularyCount) tokens; \(count) for "
      + "\(Self.texts.count) samples, \(unknown) unknown"
  }

  private func checkCuts(_ text: String, _ tokens: [Int32]) throws {
    for most in 0...tokens.count {
      let cut = model.tokenCounter.truncate(text, toTokens: most)
      guard text.utf8.starts(with: cut.utf8), model.tokens(of: cut).count <= most else {
        throw InputError("\(text.debugDescription) cannot be cut after \(most) tokens")
      }
    }
    guard model.tokenCounter.truncate(text, toTokens: tokens.count) == text else {
      throw InputError("\(text.debugDescription) is cut though it has no more tokens")
    }
  }
}
