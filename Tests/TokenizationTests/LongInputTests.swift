import TestSupport
import Testing

@testable import Tokenization

struct LongInputTests {
  @Test(.timeLimit(.minutes(2)), arguments: FamilyTests.names)
  func oneCharacterRepeatedIsTokenizedInGoodTime(name: String) throws {
    let tokenizer = try FamilyTests.tokenizer(name)
    for character in ["a", " ", "漢", "\u{301}"] {
      let text = String(repeating: character, count: 100_000 / character.utf8.count)
      let count = tokenizer.count(text)
      #expect(count <= text.utf8.count + 1)
      let cut = tokenizer.truncate(text, toTokens: 16)
      #expect(tokenizer.count(cut) <= 16)
    }
  }

  @Test(arguments: FamilyTests.names)
  func truncationKeepsTheFirstTokensAndEndsBetweenCharacters(name: String) throws {
    let tokenizer = try FamilyTests.tokenizer(name)
    for text in try FamilyTests.goldens().texts.prefix(120) {
      let whole = tokenizer.encode(text)
      for tokensMax in [0, 1, 5, whole.count] {
        let cut = tokenizer.truncate(text, toTokens: tokensMax)
        #expect(cut.utf8.elementsEqual(text.utf8.prefix(cut.utf8.count)))
        #expect(cut.isEmpty || text.hasPrefix(cut))
        #expect(tokenizer.count(cut) <= tokensMax)
        if tokensMax == whole.count { #expect(cut.utf8.count == text.utf8.count) }
      }
    }
  }

  @Test func truncationCutsAfterTheLastTokenThatFits() throws {
    let bytes = try FamilyTests.tokenizer("bpe-qwen")
    #expect(bytes.truncate("the cat", toTokens: bytes.count("the")) == "the")
    let unigram = try FamilyTests.tokenizer("unigram-xlmr")
    let ligature = unigram.truncate("the  \u{FB01} sat", toTokens: unigram.count("the fi"))
    #expect(ligature == "the  \u{FB01}")
    // Two tokens of the three bytes of one character are none of it.
    #expect(bytes.count("漢") == 3)
    #expect(bytes.truncate("漢漢", toTokens: 5) == "漢")
  }

  @Test func wordsOfAnyLengthAreMergedInOneOrder() throws {
    guard case .bytePairs(let model) = try FamilyTests.tokenizer("bpe-qwen").pipeline.model else {
      throw TokenizationError(code: .malformed, message: "another model than BPE")
    }
    var generator = SeededGenerator(seed: 7)
    let letters = Array("theaionmsr ".utf8)
    for _ in 0..<200 {
      let count = 2 + Int(generator.next() % 31)
      var short = (0..<count).map { index in
        let letter = letters[Int(generator.next() % UInt64(letters.count))]
        return MergeSymbol(id: model.vocabulary.id([letter]) ?? 0, end: Int32(index + 1))
      }
      var long = short
      let shortCount = short.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.map { SymbolMerger.mergeShort($0, count, model.merges) }
      }
      let longCount = long.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.map { SymbolMerger.mergeLong($0, count, model.merges) }
      }
      #expect(shortCount == longCount)
      let kept = shortCount ?? 0
      #expect(short.prefix(kept).map(\.id) == long.prefix(kept).map(\.id))
      #expect(short.prefix(kept).map(\.end) == long.prefix(kept).map(\.end))
    }
  }
}
