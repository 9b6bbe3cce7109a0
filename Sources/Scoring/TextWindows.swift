/// Splits a text into windows of at most so many tokens, each of which shares the end of the one
/// before it.
///
/// Windows are cut between characters, and each is counted as the text that it is: what a cut
/// splits within a word counts as the tokens that it then makes. A window without a visible
/// character is left out.
struct TextWindows {
  enum Problem: Error, Equatable {
    /// The character at this byte alone has more tokens than a window takes.
    case characterTooLong(startByte: Int)
    /// There would be more than ``WindowLimits/windowsMax``.
    case tooMany
  }

  let counter: any TokenCounter
  /// Of one window; at least 1.
  let tokensMax: Int
  let limits: WindowLimits

  /// Tokens from a window's beginning to the next one's.
  private var stepTokens: Int { tokensMax - min(limits.overlapTokens, tokensMax / 4) }

  /// Bytes of text that are tokenized for a window at first: few tokens are longer on average.
  private static let bytesPerToken = 8

  /// The windows' places in the text, in bytes of UTF-8, in their order.
  func ranges(of text: String) throws(Problem) -> [Range<Int>] {
    var text = text
    text.makeContiguousUTF8()
    let byteCount = text.utf8.count
    var windows: [Range<Int>] = []
    var start = 0
    while start < byteCount {
      let window = beginning(of: text, from: start)
      guard !window.isEmpty else { throw .characterTooLong(startByte: start) }
      let end = start + window.utf8.count
      if !window.isBlank {
        guard windows.count < limits.windowsMax else { throw .tooMany }
        windows.append(start..<end)
      }
      guard end < byteCount else { break }
      // The first character may have more tokens than a step; then nothing is shared.
      let step = counter.truncate(window, toTokens: stepTokens).utf8.count
      start += step > 0 ? step : window.utf8.count
    }
    return windows
  }

  /// What of the text from a byte on has at most ``tokensMax`` tokens. Not all of the rest is
  /// tokenized for it, which would take time by the square of the text's length.
  private func beginning(of text: String, from start: Int) -> String {
    let startIndex = text.utf8.index(text.startIndex, offsetBy: start)
    var bytes = tokensMax * Self.bytesPerToken
    while true {
      guard
        let end = text.utf8.index(startIndex, offsetBy: bytes, limitedBy: text.endIndex),
        end < text.endIndex
      else { return counter.truncate(String(text[startIndex...]), toTokens: tokensMax) }
      let piece = String(text[startIndex..<end])
      let window = counter.truncate(piece, toTokens: tokensMax)
      if window.utf8.count < piece.utf8.count { return window }
      bytes *= 2
    }
  }
}

extension String {
  /// Whether there is nothing in it to read.
  var isBlank: Bool { unicodeScalars.allSatisfy(\.properties.isWhitespace) }

  /// The text at these bytes of UTF-8, which begin and end with a character.
  func bytes(_ range: Range<Int>) -> String {
    let start = utf8.index(startIndex, offsetBy: range.lowerBound)
    return String(self[start..<utf8.index(start, offsetBy: range.count)])
  }
}
