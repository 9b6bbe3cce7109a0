/// Regular expressions that tokenizers cut text by, each a scanner of its own: they are known by
/// their exact text, and others are refused.
enum SplitPattern: Sendable, Equatable {
  /// GPT-2's, which the pre-tokenizer ByteLevel has built in.
  case gpt2
  /// GPT-4's and its like, which differ in how many digits make a piece: Qwen has 1 and Llama 3.
  case gpt4(digitsMax: Int)
  /// Three ASCII digits, Falcon's.
  case threeDigits

  init?(regularExpression: String) {
    guard let pattern = Self.known[regularExpression] else { return nil }
    self = pattern
  }

  private static let gpt2Text =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private static func gpt4Text(_ digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  private static let known: [String: SplitPattern] = [
    gpt2Text: .gpt2,
    gpt4Text(#"\p{N}"#): .gpt4(digitsMax: 1),
    gpt4Text(#"\p{N}{1,3}"#): .gpt4(digitsMax: 3),
    "[0-9][0-9][0-9]": .threeDigits,
  ]

  /// Whether every scalar is part of a match.
  var coversAll: Bool {
    switch self {
    case .gpt2, .gpt4: true
    case .threeDigits: false
    }
  }

  /// Appends the matches in a piece of a text, which is taken for a text of its own.
  func cut(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, _ matches: inout [Range<Int>]
  ) {
    switch self {
    case .gpt2:
      var scanner = WordPatternScanner(bytes, piece)
      while let match = scanner.nextOfGPT2() { matches.append(match) }
    case .gpt4(let digitsMax):
      var scanner = WordPatternScanner(bytes, piece)
      while let match = scanner.nextOfGPT4(digitsMax: digitsMax) { matches.append(match) }
    case .threeDigits:
      var start = piece.lowerBound
      var position = start
      while position < piece.upperBound {
        let isDigit = UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position]
        position += 1
        if !isDigit {
          start = position
        } else if position - start == 3 {
          matches.append(start..<position)
          start = position
        }
      }
    }
  }
}
