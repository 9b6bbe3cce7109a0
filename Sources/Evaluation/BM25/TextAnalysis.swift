/// How a text becomes the terms that BM25 counts: runs of letters and digits, lower-cased.
public enum TextAnalysis: String, Sendable, CaseIterable {
  /// Without English function words, and stemmed.
  case english
  /// Every word as it stands, for other languages.
  case plain

  public func terms(of text: String) -> [String] {
    var stems: [String: String] = [:]
    return terms(of: text, stems: &stems)
  }

  /// - Parameter stems: of words that were met before: texts repeat few words, and looking one up is
  ///   quicker than stemming it.
  func terms(of text: String, stems: inout [String: String]) -> [String] {
    let words = Self.words(of: text)
    switch self {
    case .plain: return words
    case .english:
      return words.compactMap { word in
        if Self.functionWords.contains(word) { return nil }
        if let stem = stems[word] { return stem }
        let stem = PorterStemmer.stem(word)
        stems[word] = stem
        return stem
      }
    }
  }

  private static func words(of text: String) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    for scalar in text.lowercased().unicodeScalars {
      if isPartOfWord(scalar) {
        word.append(scalar)
      } else if !word.isEmpty {
        words.append(String(word))
        word = String.UnicodeScalarView()
      }
    }
    if !word.isEmpty { words.append(String(word)) }
    return words
  }

  /// Letters, digits, and the marks that some scripts write on letters.
  private static func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x30...0x39, 0x61...0x7A: return true
    case ..<0x80: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .decimalNumber, .letterNumber, .nonspacingMark, .spacingMark:
      return true
    default: return false
    }
  }

  /// Articles, prepositions, conjunctions, pronouns and auxiliaries: they stand in every text.
  private static let functionWords: Set<String> = [
    "a", "about", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "do",
    "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "may", "no", "not", "of", "on", "or", "our", "she", "should", "so",
    "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "was", "we", "were", "what", "when", "where", "which", "who", "why", "will",
    "with", "would", "you", "your",
  ]
}
