import Foundation
import TestSupport
import Testing

@testable import Tokenization

struct HostileDefinitionTests {
  private static func definition(_ family: String) throws -> String {
    try String(
      contentsOf: FamilyTests.folder.appending(path: "\(family)/tokenizer.json"),
      encoding: .utf8)
  }

  @Test(arguments: [
    ("bpe-qwen", #""dropout":null"#, #""dropout":0.5"#, "model.dropout is not supported"),
    (
      "bpe-qwen", #""continuing_subword_prefix":null"#, #""continuing_subword_prefix":"@@""#,
      "model.continuing_subword_prefix is not supported"
    ),
    ("bpe-qwen", #"|\\p{N}|"#, #"|\\p{N}{1,2}|"#, "pre_tokenizer.pretokenizers[0].pattern \"(?i:"),
    ("bpe-qwen", #""invert":false"#, #""invert":true"#, "invert with Isolated is not supported"),
    ("bpe-qwen", #""use_regex":false"#, #""use_regex":0"#, "use_regex is neither true nor false"),
    ("bpe-qwen", #""NFC""#, #""NFX""#, "normalizer \"NFX\" is not supported"),
    ("bpe-qwen", #""merges":[["a","t"]"#, #""merges":[["a","日"]"#, "model.merges[0]: \"a日\""),
    ("bpe-qwen", #""merges":[["a","t"]"#, #""merges":[["a"]"#, "model.merges[0] is not a pair"),
    ("bpe-qwen", #""id":492"#, #""id":493"#, "\"</think>\" with id 493 would be 492"),
    ("bpe-qwen", #"</think>"#, #"<think>"#, "\"<think>\" is there twice"),
    ("bpe-qwen", #""lstrip":false"#, #""lstrip":"no""#, "lstrip is neither true nor false"),
    ("bpe-qwen", #""type":"BPE""#, #""type":"WordLevel""#, "model \"WordLevel\" is not supported"),
    ("bpe-qwen", #""type":"BPE""#, #""type":"WordPiece""#, "\"WordPiece\" with the pre_tokenizer"),
    ("bpe-falcon", #""Digits""#, #""Whitespace""#, "pretokenizers[2].individual_digits"),
    (
      "bpe-falcon", #""Digits","individual_digits":false"#, #""Punctuation""#,
      "pretokenizers[2] \"Punctuation\" behind \"ByteLevel\" is not supported"
    ),
    ("bpe-roberta", #""cls":["<s>",0]"#, #""cls":["<s>",99999]"#, "outside the vocabulary"),
    ("bpe-roberta", #""sep":["</s>",2]"#, #""sep":2"#, "post_processor.sep is not a pair"),
    ("unigram-xlmr", #""unk_id":3"#, #""unk_id":null"#, "unk_id is not supported"),
    ("unigram-xlmr", #""unk_id":3"#, #""unk_id":3000"#, "model.unk_id 3000 is not in"),
    ("unigram-xlmr", #"["</s>",0.0]"#, #"["</s>",1e999]"#, "token 2 has no text or score"),
    ("unigram-xlmr", #""Regex":" {2,}""#, #""Regex":"\\s+""#, "pattern \"\\s+\" is not supported"),
    ("unigram-xlmr", #""always""#, #""sometimes""#, "prepend_scheme \"sometimes\" is unknown"),
    ("unigram-xlmr", #"_charsmap":"ABAA"#, #"_charsmap":"AAAA"#, "of 0 bytes is not whole"),
    ("unigram-xlmr", #""precompiled_charsmap":"A"#, #""precompiled_charsmap":""#, "not base64"),
    ("unigram-xlmr", #""replacement":"▁""#, #""replacement":"▁▁""#, "is not one character"),
    ("wordpiece-splits", #""MergedWithPrevious""#, #""Merged""#, "\"Merged\" is unknown"),
    (
      "wordpiece-splits", #""kitten ""#, "\"\(String(repeating: "k", count: 300))\"",
      "content of more than 256 bytes is not supported"
    ),
    (
      "wordpiece-splits", "{\"String\":\"e\u{301}\"},\"content\":\"\"",
      #"{"String":"e"},"content":"\#(String(repeating: "e", count: 256))""#,
      "make a text 256 times as long is not supported"
    ),
    ("wordpiece-splits", #"{"type":"NFD"}"#, #"{"type":"Sequence","steps":[]}"#, "steps is not"),
  ])
  func whatIsNotSupportedIsRefusedByName(
    family: String, text: String, other: String, message: String
  ) throws {
    let json = try Self.definition(family)
    try #require(json.contains(text), "\(text)")
    let folder = try TemporaryFolder("tokenizer")
    try folder.write(json.replacing(text, with: other), to: "tokenizer.json")
    let error = #expect(throws: TokenizationError.self, "\(other)") {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test func sequencesHaveALimit() throws {
    let steps = Array(repeating: #"{"type":"NFC"}"#, count: TokenizerLimits.stepsMax + 1)
    let json = try Self.definition("bpe-qwen").replacing(
      #"{"type":"NFC"}"#,
      with: #"{"type":"Sequence","normalizers":[\#(steps.joined(separator: ","))]}"#)
    let folder = try TemporaryFolder("tokenizer")
    try folder.write(json, to: "tokenizer.json")
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer.load(folder: folder.url.path)
    }
    #expect(error?.message.contains("normalizer with more than 16 steps") == true)
  }

  @Test(arguments: ["bpe-qwen", "bpe-bytes", "unigram-xlmr", "wordpiece-splits"])
  func damagedDefinitionsAreErrorsOrWork(family: String) throws {
    let whole = Array(try Self.definition(family).utf8)
    let settings = try TokenizerSettings(JSONValue(parsing: Array("{}".utf8)))
    var generator = SeededGenerator(seed: 11)
    var refused = 0
    for round in 0..<60 {
      var bytes = whole
      for _ in 0...(round % 4) {
        // Stages stand before and behind the vocabulary.
        let start = Bool.random(using: &generator) ? 0 : bytes.count - 3_000
        let place = start + Int(generator.next() % 3_000)
        bytes[place] = "0123456789{}[],:\"aeft-.".utf8.randomElement(using: &generator) ?? 0
      }
      do {
        let tokenizer = try TokenizerDefinition(
          JSONValue(parsing: bytes), settings: settings, controlTokens: .recognised
        ).tokenizer
        _ = tokenizer.encode("the cat's <mask> \u{FB01} e\u{301} 日本 123 \r\n")
      } catch {
        refused += 1
      }
    }
    #expect(refused > 20)
  }

  @Test func damagedMapsNeverLeaveTextThatIsNotUTF8() throws {
    var generator = SeededGenerator(seed: 5)
    let source = Array("ab\u{E9}\u{FB01}e\u{301}\r\n日\u{1F600}".utf8)
    var made = 0
    for _ in 0..<300 {
      let units = 64
      var bytes: [UInt8] = [0, 1, 0, 0]
      for _ in 0..<units {
        // Units whose labels are bytes of the source, so that keys are found.
        let label = UInt32(source.randomElement(using: &generator) ?? 0)
        let unit = label | UInt32(generator.next() % 4) << 8 | UInt32(generator.next() % 600) << 10
        for shift in [UInt32(0), 8, 16, 24] {
          bytes.append(UInt8(truncatingIfNeeded: unit >> shift))
        }
      }
      bytes += Array("x\0\u{E9}\0日".utf8)
      guard let map = try? PrecompiledMap(bytes) else { continue }
      made += 1
      let text = source.withUnsafeBufferPointer { NormalizedText($0, 0..<$0.count) }
      let normalized = map.normalized(text)
      #expect(String(validating: normalized.bytes, as: UTF8.self) != nil)
      #expect(normalized.ends.isEmpty || normalized.ends.count == normalized.bytes.count)
    }
    #expect(made == 300)
  }
}
