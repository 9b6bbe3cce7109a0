import Foundation
import TestSupport
import Testing
import Tokenization

@testable import Scoring

struct EstimatedTokenCounterTests {
  private let counter = EstimatedTokenCounter()

  /// A byte-level tokenizer has at most a token a byte of the text in NFC, a piece tokenizer at most
  /// one a scalar in NFKC.
  @Test func everyScalarCountsAtLeastWhatNormalisingMakesOfIt() {
    for value in UInt32(0)..<0x30000 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let text = String(Character(scalar))
      let cost = EstimatedTokenCounter.cost(scalar)
      // Where nothing is longer than the text itself, there is nothing to compare.
      guard value >= 0x80 else {
        #expect(cost == 1)
        continue
      }
      let composed = text.precomposedStringWithCanonicalMapping.utf8.count
      let compatible = text.precomposedStringWithCompatibilityMapping.unicodeScalars.count
      if cost < max(text.utf8.count, composed, compatible) {
        Issue.record("U+\(String(value, radix: 16)) costs \(cost)")
      }
    }
  }

  @Test func marksThatTakeALetterApartAreCovered() {
    for text in ["\u{E9}\u{323}", "\u{1DF}\u{323}\u{323}", "\u{1EBF}\u{323}", "\u{1D5}\u{325}"] {
      #expect(counter.count(text) >= text.precomposedStringWithCanonicalMapping.utf8.count)
    }
  }

  @Test func emptyTextHasNoTokensAndOthersOneMoreThanBytes() {
    #expect(counter.count("") == 0)
    #expect(counter.count("abc") == 4)
    #expect(counter.count("é") == 3)
    #expect(counter.isEstimate)
  }

  @Test func truncationKeepsWholeCharactersWithinTheBudget() {
    let text = "ab👨‍👩‍👧é cafe\u{301}\u{FDFA}"
    for tokensMax in 0...80 {
      let cut = counter.truncate(text, toTokens: tokensMax)
      #expect(counter.count(cut) <= tokensMax)
      #expect(text.hasPrefix(cut) || cut.isEmpty)
      if cut.count < text.count {
        let longer = String(text.prefix(cut.count + 1))
        #expect(counter.count(longer) > tokensMax)
      }
    }
    #expect(counter.truncate(text, toTokens: 80) == text)
    #expect(counter.truncate("abc", toTokens: -1) == "")
  }

  @Test(.needsSharedData("tokenizer/llama.cpp"))
  func estimateIsAboveEveryTokenizersRecordedCounts() throws {
    let folder = SharedData.data.appending(path: "tokenizer/llama.cpp")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".inp") }
    #expect(files.count >= 10)
    for file in files {
      let inputs = try Data(contentsOf: folder.appending(path: file))
      let texts = String(decoding: inputs, as: UTF8.self)
        .components(separatedBy: "\n__ggml_vocab_test__\n")
      let output = folder.appending(path: file.dropLast(4) + ".out")
      let lines = try String(contentsOf: output, encoding: .utf8)
        .split(separator: "\n", omittingEmptySubsequences: false)
      for (text, line) in zip(texts, lines) {
        let tokens = line.split(separator: " ").count
        #expect(counter.count(text) >= tokens, "\(file): \(text.debugDescription)")
      }
    }
  }

  @Test(.needsSharedData("tokenizer/swift-transformers"))
  func estimateIsAboveTheHubsRecordedCounts() throws {
    struct Case: Decodable {
      struct Encoding: Decodable { var input_ids: [Int] }
      var input: String
      var encoded: Encoding
    }
    let file = SharedData.data.appending(path: "tokenizer/swift-transformers/tokenizer_tests.json")
    let all = try JSONDecoder().decode([String: [Case]].self, from: Data(contentsOf: file))
    #expect(all.count == 11)
    for (model, cases) in all {
      for one in cases {
        // At most four of the recorded ids are control tokens around the text.
        #expect(counter.count(one.input) + 4 >= one.encoded.input_ids.count, "\(model)")
      }
    }
  }

  @Test(.needsSharedData("tokenizer/swift-transformers"))
  func exactCounterIsBoundByItsBytes() throws {
    let file = SharedData.data.appending(path: "tokenizer/swift-transformers/bert-vocab.txt")
    let exact: any TokenCounter = try Tokenizer(
      wordPieceVocabulary: [UInt8](Data(contentsOf: file)))
    #expect(!exact.isEstimate)
    for value in UInt32(0x80)..<0x30000 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let text = String(Character(scalar))
      if exact.count(text) > exact.countMax(text) { Issue.record("U+\(String(value, radix: 16))") }
      if exact.count(text) > counter.count(text) { Issue.record("U+\(String(value, radix: 16))") }
    }
  }
}
