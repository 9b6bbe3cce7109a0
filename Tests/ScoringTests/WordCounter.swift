import Scoring
import Synchronization

/// A token is a word; it counts how often it was asked.
final class WordCounter: TokenCounter {
  private let counted = Mutex<[String: Int]>([:])

  var isEstimate: Bool { false }

  func count(_ text: String) -> Int {
    counted.withLock { $0[text, default: 0] += 1 }
    return text.split(separator: " ").count
  }

  func countMax(_ text: String) -> Int { text.utf8.count }

  func truncate(_ text: String, toTokens tokensMax: Int) -> String {
    let words = text.split(separator: " ")
    guard words.count > tokensMax else { return text }
    return String(text[..<(words.prefix(tokensMax).last?.endIndex ?? text.startIndex)])
  }

  func timesCounted(_ text: String) -> Int { counted.withLock { $0[text, default: 0] } }
}
