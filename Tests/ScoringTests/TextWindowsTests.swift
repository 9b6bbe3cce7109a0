import Testing

@testable import Scoring

struct TextWindowsTests {
  private func windows(
    of text: String, tokens: Int, overlap: Int = 2, most: Int = 1_000,
    counter: any TokenCounter = EstimatedTokenCounter()
  ) throws -> [String] {
    var limits = WindowLimits()
    limits.overlapTokens = overlap
    limits.windowsMax = most
    return try TextWindows(counter: counter, tokensMax: tokens, limits: limits).ranges(of: text)
      .map(text.bytes)
  }

  @Test func windowsShareTheirEndsAndCoverTheText() throws {
    // The estimate counts a byte as a token, and one for the text.
    #expect(
      try windows(of: "abcdefghijkl", tokens: 9) == ["abcdefgh", "ghijkl"])
    #expect(try windows(of: "abcdefgh", tokens: 9) == ["abcdefgh"])
  }

  @Test func overlapIsAtMostAQuarterOfAWindow() throws {
    #expect(
      try windows(of: "abcdefghijkl", tokens: 5, overlap: 1_000)
        == ["abcd", "defg", "ghij", "jkl"])
    #expect(try windows(of: "abcde", tokens: 3, overlap: 1_000) == ["ab", "cd", "e"])
  }

  @Test func charactersAreNeverCut() throws {
    let family = "👨‍👩‍👧‍👦"
    let text = String(repeating: family + "é", count: 8)
    let found = try windows(of: text, tokens: 64)
    for window in found {
      #expect(window.allSatisfy { "\($0)" == family || $0 == "é" })
    }
    #expect(found.count == 4)
    #expect(text.hasSuffix(found[3]))
  }

  @Test func characterLongerThanAWindowIsNamedByItsByte() {
    let error = #expect(throws: TextWindows.Problem.self) {
      try windows(of: "ab👨‍👩‍👧‍👦", tokens: 10)
    }
    #expect(error == .characterTooLong(startByte: 2))
  }

  @Test func windowsWithNothingToReadAreLeftOut() throws {
    let text = "ab" + String(repeating: " ", count: 40) + "cd"
    let found = try windows(of: text, tokens: 9)
    #expect(found.count == 2)
    #expect(found.allSatisfy { $0.contains(where: \.isLetter) })
  }

  @Test func moreThanTheMostIsAnError() throws {
    let text = String(repeating: "a", count: 9 + 7 * 3)
    #expect(try windows(of: text, tokens: 10, overlap: 2, most: 4).count == 4)
    #expect(throws: TextWindows.Problem.tooMany) {
      try windows(of: text + "a", tokens: 10, overlap: 2, most: 4)
    }
  }

  /// However long a single token is, the text that is tokenized for a window grows to it.
  @Test func tokenLongerThanExpectedIsReadWhole() throws {
    let word = String(repeating: "a", count: 10_000)
    let text = "\(word) b c \(word) d"
    #expect(
      try windows(of: text, tokens: 3, counter: WordCounter())
        == ["\(word) b c", " \(word) d"])
  }
}
