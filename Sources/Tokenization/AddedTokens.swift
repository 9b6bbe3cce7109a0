/// A token beside the model's vocabulary, which is found in a text before the model sees it.
struct AddedToken: Sendable, Equatable {
  var content: [UInt8]
  var id: Int32
  /// Steers the model: written by the tokenizer's user, not by those whose texts are tokenized.
  var isControl = true
  /// Takes white space before it along.
  var stripsLeft = false
  /// Takes white space behind it along.
  var stripsRight = false
  /// Is not found within a word.
  var isSingleWord = false
  /// Is looked for in the normalised text.
  var isNormalized = false

  /// Whether a token that was added is a control token: one that its tokenizer calls special, or
  /// whose form says so, as "<think>" and "<|fim_prefix|>", which Qwen's does not call special.
  static func isControl(_ content: [UInt8], isSpecial: Bool) -> Bool {
    isSpecial
      || content.count > 2 && content.first == UInt8(ascii: "<")
        && content.last == UInt8(ascii: ">")
        && !content.contains(UInt8(ascii: " "))
  }
}

/// Finds added tokens in a text: from the left the longest at each place.
struct AddedTokens: Sendable {
  enum Part {
    case text(Range<Int>)
    case token(id: Int32, end: Int)
  }

  private let tokens: [AddedToken]
  /// Their contents, with their numbers.
  private let trie: ByteTrie
  private let begins: [Bool]
  private let recognisesControl: Bool

  var isEmpty: Bool { tokens.isEmpty }

  /// Where control tokens are text they are found all the same, and hide other tokens in them, as
  /// they do in the reference.
  ///
  /// - Parameter contents: what is looked for, for each token.
  init(
    _ tokens: [AddedToken], contents: [[UInt8]], _ controlTokens: Tokenizer.ControlTokens
  ) {
    recognisesControl = controlTokens == .recognised
    let finds = recognisesControl || tokens.contains { !$0.isControl }
    self.tokens = finds ? tokens : []
    let contents = finds ? contents : []
    trie = ByteTrie(contents.enumerated().map { (key: $1, value: Int32($0)) })
    var begins = Array(repeating: false, count: 256)
    for content in contents { if let first = content.first { begins[Int(first)] = true } }
    self.begins = begins
  }

  /// Calls `body` with the parts of a range of a text, from left to right, until it says no.
  func forEachPart(
    of text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ body: (Part) -> Bool
  ) {
    var done = range.lowerBound
    if !isEmpty {
      let text = UnsafeBufferPointer(rebasing: text[..<range.upperBound])
      var position = range.lowerBound
      while position < text.count {
        guard begins[Int(text[position])], let match = longest(in: text, at: position) else {
          position += 1
          continue
        }
        let start = position
        position = match.end
        let token = tokens[match.number]
        if token.isControl, !recognisesControl { continue }
        if token.isSingleWord, isWithinWord(text, range.lowerBound, start..<position) { continue }
        let from =
          token.stripsLeft ? max(done, Self.spaceStart(text, range.lowerBound, start)) : start
        if done < from, !body(.text(done..<from)) { return }
        done = token.stripsRight ? Self.spaceEnd(text, position) : position
        if !body(.token(id: token.id, end: done)) { return }
      }
    }
    if done < range.upperBound { _ = body(.text(done..<range.upperBound)) }
  }

  private func longest(
    in text: UnsafeBufferPointer<UInt8>, at position: Int
  ) -> (end: Int, number: Int)? {
    var found: (end: Int, number: Int)?
    trie.forEachKey(in: text, at: position) { found = ($0, Int($1)) }
    return found
  }

  private func isWithinWord(
    _ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ match: Range<Int>
  ) -> Bool {
    let tables = TextTables.shared
    var after = ScalarReader(text, match.upperBound..<text.count)
    if let scalar = after.next(), tables.has(scalar, TextTables.Class.word) { return true }
    var before = match.lowerBound
    guard before > start else { return false }
    repeat { before -= 1 } while before > start && text[before] & 0xC0 == 0x80
    var reader = ScalarReader(text, before..<match.lowerBound)
    return reader.next().map { tables.has($0, TextTables.Class.word) } ?? false
  }

  private static func isSpace(_ scalar: UInt32) -> Bool {
    UnicodeTables.shared.classes[scalar] & UnicodeTables.Class.whitespace != 0
  }

  /// Where the white space before a position begins.
  static func spaceStart(
    _ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ position: Int
  ) -> Int {
    var first = position
    while first > start {
      var before = first
      repeat { before -= 1 } while before > start && text[before] & 0xC0 == 0x80
      var reader = ScalarReader(text, before..<first)
      guard let scalar = reader.next(), isSpace(scalar) else { break }
      first = before
    }
    return first
  }

  /// Where the white space behind a position ends.
  static func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
    var reader = ScalarReader(text, position..<text.count)
    while let scalar = reader.peek(), isSpace(scalar) { _ = reader.next() }
    return reader.position
  }
}
