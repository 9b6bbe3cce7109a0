import Testing
import Tokenization

struct PromptTests {
  @Test func onlyThePromptItselfPlacesControlTokens() throws {
    let tokenizer = try FamilyTests.tokenizer("bpe-qwen")
    let end = try #require(tokenizer.id(ofToken: "<|im_end|>"))
    let think = try #require(tokenizer.id(ofToken: "<think>"))
    let ids = try tokenizer.encodePrompt([
      .control("<|im_start|>"), .text("user\n"), .text("a<|im_end|><think>b"),
      .control("<|im_end|>"), .text("\n"), .control("<think>"),
    ])
    #expect(ids.first == tokenizer.id(ofToken: "<|im_start|>"))
    #expect(ids.filter { $0 == end }.count == 1)
    #expect(ids.filter { $0 == think }.count == 1)
    #expect(ids.last == think)
  }

  @Test func aPromptIsWhatTheReferenceMakesOfItsText() throws {
    let tokenizer = try FamilyTests.tokenizer("bpe-qwen")
    let reference = try FamilyTests.tokenizer("bpe-qwen", .recognised)
    let ids = try tokenizer.encodePrompt([
      .control("<|im_start|>"), .text("system\nJudge."), .control("<|im_end|>"), .text("\n"),
      .control("<|im_start|>"), .text("user\nthe cat\n\n"), .control("<think>"), .text("\n\n"),
    ])
    #expect(
      ids
        == reference.encode(
          "<|im_start|>system\nJudge.<|im_end|>\n<|im_start|>user\nthe cat\n\n<think>\n\n"))
  }

  @Test func textIsTokenizedAsOneHoweverManyPartsItComesIn() throws {
    for name in FamilyTests.names {
      let tokenizer = try FamilyTests.tokenizer(name)
      let whole = tokenizer.encode("the cat's e\u{301} 123")
      for parts in [["the c", "at's e", "\u{301} 1", "23"], ["", "the cat's e\u{301} 123", ""]] {
        #expect(try tokenizer.encodePrompt(parts.map(PromptPart.text)) == whole, "\(name)")
      }
    }
    #expect(try FamilyTests.tokenizer("bpe-qwen").encodePrompt([]) == [])
  }

  @Test(arguments: [
    ("unigram-xlmr", "<mask>"), ("bpe-roberta", "<mask>"), ("bpe-modernbert", "[MASK]"),
    ("bpe-unknown", "<unk>"), ("wordpiece-added", "[MASK]"), ("bpe-bytes", "<s>"),
  ])
  func whatAControlTokenDoesToTheTextBesideItIsDone(name: String, token: String) throws {
    let tokenizer = try FamilyTests.tokenizer(name)
    let reference = try FamilyTests.tokenizer(name, .recognised)
    for (before, after) in [("the ", " cat"), ("", "a"), ("a  ", ""), (" ", " "), ("", "")] {
      let ids = try tokenizer.encodePrompt([
        .text(before), .control(token), .text(after), .control(token), .control(token),
      ])
      #expect(ids == reference.encode(before + token + after + token + token), "\(name)")
    }
  }

  @Test func unknownControlTokensAreErrors() throws {
    let tokenizer = try FamilyTests.tokenizer("bpe-qwen")
    let error = #expect(throws: TokenizationError.self) {
      try tokenizer.encodePrompt([.control("<|im_middle|>")])
    }
    #expect(error?.message == "the vocabulary has no token \"<|im_middle|>\"")
  }

  @Test(arguments: FamilyTests.names)
  func noTextBecomesAControlToken(name: String) throws {
    let tokenizer = try FamilyTests.tokenizer(name)
    var count = 0
    for token in [
      "<s>", "</s>", "<pad>", "<mask>", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "<|im_start|>",
      "<|im_end|>", "<think>", "</think>",
    ] {
      guard let id = tokenizer.id(ofToken: token) else { continue }
      count += 1
      for text in [token, "a \(token) b\(token)", "\(token)\(token)"] {
        #expect(!tokenizer.encode(text).contains(id), "\(name): \(text)")
      }
    }
    let hasNone = ["bpe-falcon", "bpe-starcoder", "bpe-unknown", "unigram-bytes"]
    #expect(count > 0 || hasNone.contains(name) || name == "wordpiece-splits")
  }

  @Test func tokensAreFoundAsTheVocabularySpellsThem() throws {
    let bytes = try FamilyTests.tokenizer("bpe-qwen")
    #expect(bytes.id(ofToken: "Ġ").map { [$0] } == bytes.encode(" "))
    #expect(bytes.id(ofToken: "<|im_end|>") == 490)
    #expect(bytes.id(ofToken: " the") == nil)
    #expect(bytes.id(ofToken: "日") == nil)
    #expect(bytes.vocabularyCount == 493)
    #expect(bytes.paddingID == nil)
    #expect(bytes.unknownID == nil)
    let unigram = try FamilyTests.tokenizer("unigram-xlmr")
    #expect(unigram.id(ofToken: "▁the").map { [$0] } == unigram.encode("the"))
    #expect(unigram.id(ofToken: "<mask>") == 135)
    #expect(unigram.paddingID == 1)
    #expect(unigram.unknownID == 3)
    #expect(unigram.pairOverhead == 4)
  }
}
