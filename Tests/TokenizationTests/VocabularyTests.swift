import Testing

@testable import Tokenization

struct VocabularyTests {
  private func vocabulary(_ lines: String) throws -> Vocabulary {
    try Vocabulary(lines: Array(lines.utf8), continuationPrefix: Array("##".utf8))
  }

  private func id(_ vocabulary: Vocabulary, _ token: String, continues: Bool = false) -> Int32? {
    let bytes = Array(token.utf8)
    let hash = bytes.reduce(Vocabulary.seed(continues: continues), Vocabulary.hash)
    return bytes.withUnsafeBufferPointer {
      vocabulary.id($0, hash: hash, continues: continues)
    }
  }

  @Test func tokensThatSwiftHoldsEqualStayApart() throws {
    let vocabulary = try vocabulary("é\ne\u{301}\nÅ\n\u{212B}\n")
    #expect(id(vocabulary, "\u{E9}") == 0)
    #expect(id(vocabulary, "e\u{301}") == 1)
    #expect(id(vocabulary, "\u{C5}") == 2)
    #expect(id(vocabulary, "\u{212B}") == 3)
  }

  @Test func piecesThatContinueAWordStayApartFromThoseThatBeginOne() throws {
    let vocabulary = try vocabulary("a\n##a\n##b\n##\n")
    #expect(id(vocabulary, "a") == 0)
    #expect(id(vocabulary, "a", continues: true) == 1)
    #expect(id(vocabulary, "b") == nil)
    #expect(id(vocabulary, "b", continues: true) == 2)
    #expect(id(vocabulary, "##") == 3)
  }

  @Test func linesMayEndAsOnWindowsAndTheLastNeedsNoEnd() throws {
    let vocabulary = try vocabulary("a\r\nb\r\n\r\nc")
    #expect(id(vocabulary, "a") == 0)
    #expect(id(vocabulary, "b") == 1)
    #expect(id(vocabulary, "c") == 3)
    #expect(vocabulary.idBound == 4)
  }

  @Test func ofTwoEqualTokensTheLaterCounts() throws {
    let vocabulary = try vocabulary("a\nb\na\n")
    #expect(id(vocabulary, "a") == 2)
    #expect(id(vocabulary, "b") == 1)
  }

  @Test func findsEachOfManyTokensAndNoOther() throws {
    let tokens = (0..<20_000).map { String($0, radix: 36) }
    let vocabulary = try vocabulary(tokens.joined(separator: "\n"))
    for (number, token) in tokens.enumerated() where number % 7 == 0 {
      #expect(id(vocabulary, token) == Int32(number))
      #expect(id(vocabulary, token + "-") == nil)
    }
  }

  @Test func limitsAreErrors() {
    let long = String(repeating: "a", count: TokenizerLimits.tokenBytesMax + 1)
    let error = #expect(throws: TokenizationError.self) { try vocabulary("b\n" + long) }
    #expect(error?.message.contains("token 1 of the vocabulary has 4097 bytes") == true)
    let tokens = Array(
      repeating: Vocabulary.Token(range: 0..<1, id: 0),
      count: TokenizerLimits.vocabularyTokensMax + 1)
    #expect(throws: TokenizationError.self) {
      try Vocabulary(bytes: [0x61], tokens: tokens, continuationPrefix: [])
    }
  }
}

struct JSONValueTests {
  private func parse(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
  }

  @Test func keysThatSwiftHoldsEqualStayApart() throws {
    let members = try parse("{\"\u{E9}\": 1, \"e\u{301}\": 2, \"\\u00e9\": 3}").members
    #expect(members?.map(\.key.count) == [2, 3, 2])
  }

  @Test func readsEscapesNumbersAndNesting() throws {
    let json = try parse(
      #" {"a": [1, -2.5e1, true, false, null, "\"\\\/\b\f\n\r\t\ud83d\ude00"]} "#)
    let values = try #require(json["a"]?.array)
    #expect(values[0].integer == 1)
    #expect(values[1].integer == -25)
    #expect(values[2].bool == true)
    #expect(values[3].bool == false)
    #expect(values[4].string == nil)
    #expect(values[5].string == "\"\\/\u{8}\u{C}\n\r\t😀")
  }

  @Test(arguments: [
    "", "{", "{\"a\"}", "{\"a\":}", "[1,]", "[1 2]", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
    "\"\\ud800\\u0041\"", "\"\\udc00\"", "nul", "+1", ".5", "--1", "1 2", "\"\n\"", "{1:2}",
    String(repeating: "[", count: 100_000),
  ])
  func whatIsNotJSONIsNamedByItsPlace(text: String) {
    let error = #expect(throws: TokenizationError.self) { try parse(text) }
    #expect(error?.code == .malformed)
    #expect(error?.message.hasPrefix("not JSON at byte ") == true)
  }

  @Test func stringsAreUTF8() {
    #expect(throws: TokenizationError.self) {
      try JSONValue(parsing: [0x22, 0xFF, 0x22])
    }
  }
}
