import Foundation
import TestSupport
import Testing
import Tokenization

/// The recorded encodings of other projects, where the shared data is at hand.
struct SharedReferenceTests {
  private static let folder = SharedData.data.appending(path: "tokenizer")

  private func bertTokenizer(_ mode: Tokenizer.ControlTokens = .areText) throws -> Tokenizer {
    let vocabulary = try Data(
      contentsOf: Self.folder.appending(path: "swift-transformers/bert-vocab.txt"))
    return try Tokenizer(wordPieceVocabulary: [UInt8](vocabulary), controlTokens: mode)
  }

  private func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: Self.folder.appending(path: path)))
  }

  @Test(.needsSharedData("tokenizer/swift-transformers"))
  func encodesEveryRecordedQuestionAsTheReferenceDid() throws {
    struct Question: Decodable { var original: String }
    let questions = try decode([Question].self, "swift-transformers/question_tokens.json")
    let encodings = try decode([[Int32]].self, "swift-transformers/tokenized_questions.json")
    #expect(questions.count == 10_570)
    let tokenizer = try bertTokenizer()
    var differing: [String] = []
    for (question, ids) in zip(questions, encodings)
    where tokenizer.encode(question.original) != ids {
      differing.append(question.original)
    }
    #expect(differing == [])
  }

  @Test(
    .needsSharedData("tokenizer/swift-transformers"),
    arguments: ["bert-base-uncased", "google-bert/bert-base-uncased"])
  func encodesTheHubsCases(model: String) throws {
    struct Case: Decodable {
      struct Encoding: Decodable { var input_ids: [Int32] }
      var input: String
      var encoded: Encoding
    }
    let all = try decode([String: [Case]].self, "swift-transformers/tokenizer_tests.json")
    let cases = try #require(all[model])
    let tokenizer = try bertTokenizer(.recognised)
    #expect(cases.count >= 18)
    for one in cases {
      let ids = tokenizer.encode(one.input)
      #expect([101] + ids + [102] == one.encoded.input_ids, "\(one.input)")
    }
  }

  @Test(.needsSharedData("tokenizer/llama.cpp"))
  func encodesTheCasesOfLlamaCpp() throws {
    let path = Self.folder.appending(path: "llama.cpp/ggml-vocab-bert-bge.gguf").path
    let inputs = try Data(contentsOf: URL(filePath: path + ".inp"))
    let texts = String(decoding: inputs, as: UTF8.self)
      .components(separatedBy: "\n__ggml_vocab_test__\n")
    let lines = try String(contentsOfFile: path + ".out", encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    #expect(texts.count == 47)
    let tokenizer = try bertTokenizer()
    for (text, line) in zip(texts, lines) {
      let ids = line.split(separator: " ").compactMap { Int32($0) }
      #expect(tokenizer.encode(text) == ids, "\(text)")
    }
  }

  @Test(.needsSharedModel("minilm-l6-cross-encoder"))
  func encodesPairsOfARealModelFolderAsTheReferenceDid() throws {
    struct Pair: Decodable {
      var query: String
      var document: String
      var ids: [Int32]
      var token_types: [UInt8]
    }
    let folder = SharedData.models.appending(path: "minilm-l6-cross-encoder")
    let golden = try JSONDecoder().decode(
      [Pair].self, from: Data(contentsOf: folder.appending(path: "golden.json")))
    let tokenizer = try Tokenizer.load(folder: folder.path)
    #expect(tokenizer.pairOverhead == 3)
    #expect(tokenizer.vocabularyCount == 30_522)
    #expect(golden.count == 12)
    // The reference script drops an empty document, which the tokenizer itself does not.
    for pair in golden where !pair.document.isEmpty {
      let encoded = tokenizer.encodePair(query: pair.query, document: pair.document)
      #expect(encoded.ids == pair.ids)
      #expect(encoded.tokenTypes == pair.token_types)
    }
  }
}
