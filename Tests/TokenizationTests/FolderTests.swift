import Foundation
import TestSupport
import Testing
import Tokenization

struct FolderTests {
  /// A copy of the fixture's tokenizer.json with one text replaced, which has to be there.
  private func folder(
    replacing text: String, by other: String, config: String? = nil
  ) throws -> TemporaryFolder {
    let json = try String(
      contentsOf: Fixtures.modelFolder.appending(path: "tokenizer.json"), encoding: .utf8)
    try #require(json.contains(text))
    let folder = try TemporaryFolder("tokenizer")
    try folder.write(json.replacing(text, with: other), to: "tokenizer.json")
    if let config { try folder.write(config, to: "tokenizer_config.json") }
    return folder
  }

  private func vocabularyFolder(config: String?) throws -> TemporaryFolder {
    let folder = try TemporaryFolder("tokenizer")
    let lines = try String(
      contentsOf: Fixtures.modelFolder.appending(path: "vocab.txt"), encoding: .utf8)
    try folder.write(lines, to: "vocab.txt")
    if let config { try folder.write(config, to: "tokenizer_config.json") }
    return folder
  }

  @Test func readsTheDefinitionAsTheVocabularyIsRead() throws {
    let loaded = try Tokenizer.load(folder: Fixtures.modelFolder.path)
    let recognising = try Tokenizer.load(
      folder: Fixtures.modelFolder.path, controlTokens: .recognised)
    let made = try Fixtures.tokenizer()
    #expect(loaded.vocabularyCount == made.vocabularyCount)
    #expect(loaded.paddingID == made.paddingID)
    for one in try Fixtures.encodings().cases {
      #expect(loaded.encode(one.text) == one.ids["uncased"])
      #expect(recognising.encode(one.text) == one.recognised ?? one.ids["uncased"])
    }
    #expect(
      loaded.encodePair(query: "the cat", document: "sat")
        == made.encodePair(query: "the cat", document: "sat"))
  }

  @Test func readsBertProcessingAsItsTemplate() throws {
    let json = try String(
      contentsOf: Fixtures.modelFolder.appending(path: "tokenizer.json"), encoding: .utf8)
    let start = try #require(json.range(of: "{\"type\":\"TemplateProcessing\""))
    let end = try #require(json.range(of: ",\"decoder\""))
    let folder = try folder(
      replacing: String(json[start.lowerBound..<end.lowerBound]),
      by: "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]}")
    let tokenizer = try Tokenizer.load(folder: folder.url.path)
    for pair in try Fixtures.encodings().pairs {
      let encoded = tokenizer.encodePair(query: pair.query, document: pair.document)
      #expect(encoded.ids == pair.ids)
      #expect(encoded.tokenTypes == pair.types)
    }
  }

  @Test(arguments: [
    (nil, "uncased"), ("{\"do_lower_case\": false}", "cased"),
    ("{\"strip_accents\": false, \"tokenizer_class\": \"BertTokenizerFast\"}", "accents"),
    ("{\"do_lower_case\": false, \"strip_accents\": true, \"never_split\": null}", "stripped"),
    ("{\"unk_token\": {\"content\": \"[UNK]\"}, \"do_lower_case\": true}", "uncased"),
  ])
  func withoutADefinitionTheSettingsSayHowTheVocabularyIsUsed(
    config: String?, setting: String
  ) throws {
    let folder = try vocabularyFolder(config: config)
    let tokenizer = try Tokenizer.load(folder: folder.url.path)
    for one in try Fixtures.encodings().cases {
      #expect(tokenizer.encode(one.text) == one.ids[setting])
    }
  }

  @Test(arguments: [
    ("\"BertNormalizer\"", "\"Nmt\"", "normalizer \"Nmt\" is not supported"),
    ("\"clean_text\"", "\"cleaner_text\"", "normalizer.cleaner_text is not supported"),
    ("\"lowercase\":true", "\"lowercase\":1", "normalizer.lowercase is neither"),
    ("{\"type\":\"BertPreTokenizer\"}", "{\"split\":true}", "pre_tokenizer has no type"),
    ("\"BertPreTokenizer\"", "\"Jieba\"", "pre_tokenizer \"Jieba\" is not supported"),
    ("\"WordPiece\",\"unk", "\"WordLevel\",\"unk", "model \"WordLevel\" is not supported"),
    ("\"WordPiece\",\"unk", "\"Unigram\",\"unk", "model.vocab is not a list of tokens"),
    ("\"unk_token\":\"[UNK]\"", "\"unk_token\":\"<unk>\"", "model.unk_token \"<unk>\""),
    ("\"max_input_chars_per_word\":100", "\"max_input_chars_per_word\":0", "1 to 10000"),
    ("\"TemplateProcessing\"", "\"Other\"", "post_processor \"Other\""),
    ("{\"id\":\"B\",\"type_id\":1}", "{\"id\":\"A\",\"type_id\":1}", "A and B once each"),
    ("\"ids\":[3]", "\"ids\":[99999]", "id outside the vocabulary"),
    ("\"id\":4,\"content\":\"[MASK]\"", "\"id\":5,\"content\":\"[MASK]\"", "\"[MASK]\" with id 5"),
    ("\"cat\":162", "\"cat\":-1", "\"cat\" has no id"),
    ("\"cat\":162", "\"cat\":2000000", "no id from 0 to 1999999"),
    ("\"cat\":162", "\"cat\" 162", "not JSON at byte"),
  ])
  func whatIsNotSupportedIsRefusedByName(text: String, other: String, message: String) throws {
    let folder = try folder(replacing: text, by: other)
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.message.contains("tokenizer.json: ") == true)
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test func definitionAndSettingsMayNotContradictEachOther() throws {
    let folder = try folder(
      replacing: "\"lowercase\":true", by: "\"lowercase\":false",
      config: "{\"do_lower_case\": true}")
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("contradicts do_lower_case") == true)
  }

  @Test(arguments: [
    ("{\"tokenizer_class\": \"T5Tokenizer\"}", "tokenizer_class \"T5Tokenizer\""),
    ("{\"do_basic_tokenize\": false}", "do_basic_tokenize false"),
    ("{\"never_split\": [\"a\"]}", "never_split"), ("{\"do_lower_case\": 1}", "do_lower_case is"),
    ("[]", "an object was expected"), ("{\"cls_token\": 3}", "cls_token is not a token"),
    ("{\"cls_token\": \"<s>\"}", "no token \"<s>\""), ("", "not JSON at byte 0"),
  ])
  func settingsThatAreNotSupportedAreRefusedByName(config: String, message: String) throws {
    let folder = try vocabularyFolder(config: config)
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test func folderWithoutATokenizerSaysSo() throws {
    let folder = try TemporaryFolder("tokenizer")
    for path in [folder.url.path, folder.url.path + "/absent"] {
      let error = #expect(throws: TokenizationError.self) { try Tokenizer.load(folder: path) }
      #expect(error?.code == .unreadable)
      #expect(error?.message.contains("neither a tokenizer.json nor a vocab.txt") == true)
    }
  }

  @Test func fileThatCannotBeReadIsNamed() throws {
    let folder = try TemporaryFolder("tokenizer")
    try FileManager.default.createDirectory(
      at: folder.url.appending(path: "tokenizer.json"), withIntermediateDirectories: true)
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.code == .unreadable)
    #expect(error?.message.contains("tokenizer.json cannot be read") == true)
  }

  @Test func fileAboveTheLimitIsNotRead() throws {
    let folder = try TemporaryFolder("tokenizer")
    let path = try folder.write("", to: "vocab.txt")
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: UInt64(TokenizerLimits.fileBytesMax + 1))
    try file.close()
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.code == .unreadable)
    #expect(error?.message.contains("is larger than 67108864 bytes") == true)
  }
}
