import Foundation
import TestSupport
import Testing
import Tokenization

/// Real byte-level vocabularies with the encodings that other projects recorded, where the shared
/// data is at hand.
struct SharedVocabularyTests {
  private static let folder = SharedData.data.appending(path: "tokenizer")

  private static let plain = #"{"type":"ByteLevel","add_prefix_space":false}"#
  private static let digits = """
    {"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},\(plain)]}
    """
  private static let falcon = """
    {"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},\(plain),
    {"type":"Digits","individual_digits":false},{"type":"Split","pattern":{"Regex":
    "[0-9][0-9][0-9]"},"behavior":"Isolated","invert":false}]}
    """

  private func tokenizer(
    _ name: String, normalizer: String = "null", _ preTokenizer: String
  ) throws -> Tokenizer {
    let vocabulary = try GGUFVocabulary(
      contentsOf: Self.folder.appending(path: "llama.cpp/ggml-vocab-\(name).gguf"))
    let folder = try TemporaryFolder("tokenizer")
    try folder.write(
      vocabulary.byteLevelDefinition(normalizer: normalizer, preTokenizer: preTokenizer),
      to: "tokenizer.json")
    return try Tokenizer.load(folder: folder.url.path)
  }

  private func expectCases(of name: String, _ tokenizer: Tokenizer) throws {
    let path = Self.folder.appending(path: "llama.cpp/ggml-vocab-\(name).gguf").path
    let texts = try String(contentsOfFile: path + ".inp", encoding: .utf8)
      .components(separatedBy: "\n__ggml_vocab_test__\n")
    let lines = try String(contentsOfFile: path + ".out", encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    #expect(texts.count == 47)
    for (text, line) in zip(texts, lines) {
      let ids = line.split(separator: " ").compactMap { Int32($0) }
      #expect(tokenizer.encode(text) == ids, "\(name): \(text.debugDescription)")
    }
  }

  /// The cases of the hub's tokenizers; `framed` takes their control tokens away.
  private func expectHubCases(
    of model: String, _ tokenizer: Tokenizer, framed: (ArraySlice<Int32>) -> ArraySlice<Int32>
  ) throws {
    struct Case: Decodable {
      struct Encoding: Decodable { var input_ids: [Int32] }
      var input: String
      var encoded: Encoding
    }
    let url = Self.folder.appending(path: "swift-transformers/tokenizer_tests.json")
    let all = try JSONDecoder().decode([String: [Case]].self, from: Data(contentsOf: url))
    let cases = try #require(all[model])
    #expect(cases.count >= 18)
    for one in cases {
      let ids = framed(one.encoded.input_ids[...])
      #expect(tokenizer.encode(one.input) == Array(ids), "\(model): \(one.input)")
    }
  }

  @Test(.needsSharedData("tokenizer/qwen"), .needsSharedData("tokenizer/llama.cpp"))
  func encodesTheCasesOfQwen() throws {
    let tokenizer = try Tokenizer.load(folder: Self.folder.appending(path: "qwen").path)
    #expect(tokenizer.vocabularyCount == 151_643)
    #expect(tokenizer.id(ofToken: "Ġyes") != nil)
    try expectCases(of: "qwen2", tokenizer)
    #expect(tokenizer.count(String(repeating: "a", count: 100_000)) == 12_500)
  }

  @Test(
    .needsSharedData("tokenizer/llama.cpp"), .needsSharedData("tokenizer/swift-transformers"))
  func encodesTheCasesOfGPT2() throws {
    let tokenizer = try tokenizer("gpt-2", Self.plain)
    try expectCases(of: "gpt-2", tokenizer)
    try expectHubCases(of: "distilgpt2", tokenizer) { $0 }
    try expectHubCases(of: "openai/whisper-tiny.en", tokenizer) { $0.dropFirst(2).dropLast() }
  }

  @Test(
    .needsSharedData("tokenizer/llama.cpp"), .needsSharedData("tokenizer/swift-transformers"))
  func encodesTheCasesOfFalcon() throws {
    let tokenizer = try tokenizer("falcon", Self.falcon)
    try expectCases(of: "falcon", tokenizer)
    try expectHubCases(of: "tiiuae/falcon-7b", tokenizer) { $0 }
  }

  @Test(.needsSharedData("tokenizer/llama.cpp"))
  func encodesTheCasesOfMPT() throws {
    let tokenizer = try tokenizer("mpt", normalizer: #"{"type":"NFC"}"#, Self.plain)
    try expectCases(of: "mpt", tokenizer)
  }

  @Test(.needsSharedData("tokenizer/llama.cpp"), arguments: ["starcoder", "refact"])
  func encodesTheCasesOfStarCoder(name: String) throws {
    try expectCases(of: name, tokenizer(name, Self.digits))
  }
}
