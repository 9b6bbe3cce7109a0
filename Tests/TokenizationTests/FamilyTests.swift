import Foundation
import TestSupport
import Testing
import Tokenization

/// Small tokenizers of every kind, and what the reference implementation makes of texts of all of
/// Unicode with them: `make_families.py` says how they were made. `RERANKD_TEST_TOKENIZERS` names a
/// folder of further ones, with many more texts, that the same script writes.
struct FamilyTests {
  struct Goldens: Decodable {
    struct Pair: Decodable {
      var query: String
      var document: String
      var ids: [Int32]
      var types: [UInt8]
    }

    /// Eight hexadecimal digits a text, or for each 4,096 scalars.
    struct Family: Decodable {
      var text: String
      var recognised: String
      var pairs: [Pair]
      var scalars: String?
    }

    var texts: [String]
    var tokenizers: [String: Family]
  }

  static let folder = Fixtures.folder.appending(path: "families")

  static let names = [
    "bpe-bytes", "bpe-falcon", "bpe-llama", "bpe-modernbert", "bpe-qwen", "bpe-roberta",
    "bpe-starcoder", "bpe-unknown", "unigram-bytes", "unigram-xlmr", "wordpiece-added",
    "wordpiece-splits", "wordpiece-words",
  ]

  static func goldens(in folder: URL = folder) throws -> Goldens {
    try JSONDecoder().decode(
      Goldens.self, from: Data(contentsOf: folder.appending(path: "goldens.json")))
  }

  static func tokenizer(
    _ name: String, in folder: URL = folder, _ controlTokens: Tokenizer.ControlTokens = .areText
  ) throws -> Tokenizer {
    try Tokenizer.load(folder: folder.appending(path: name).path, controlTokens: controlTokens)
  }

  @Test func everyFamilyIsTested() throws {
    #expect(try Set(Self.goldens().tokenizers.keys) == Set(Self.names))
  }

  @Test(arguments: names)
  func encodesTextsOfAllOfUnicodeAsTheReferenceDoes(name: String) throws {
    let goldens = try Self.goldens()
    #expect(goldens.texts.count == 500)
    try expectGoldens(goldens, name, in: Self.folder)
  }

  @Test(arguments: names)
  func pairsFollowTheTemplate(name: String) throws {
    let golden = try #require(try Self.goldens().tokenizers[name])
    let tokenizer = try Self.tokenizer(name, .recognised)
    #expect(golden.pairs.count == 5)
    for pair in golden.pairs {
      let encoded = tokenizer.encodePair(query: pair.query, document: pair.document)
      #expect(encoded.ids == pair.ids)
      #expect(encoded.tokenTypes == pair.types)
    }
  }

  @Test(arguments: ["bpe-qwen", "unigram-xlmr", "wordpiece-words"])
  func everyScalarIsTreatedAsTheReferenceTreatsIt(name: String) throws {
    let golden = try #require(try Self.goldens().tokenizers[name]?.scalars)
    expectScalars(golden, try Self.tokenizer(name, .recognised), name)
  }

  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["RERANKD_TEST_TOKENIZERS"] != nil,
      "RERANKD_TEST_TOKENIZERS does not name a folder of make_families.py"))
  func encodesManyMoreTextsAsTheReferenceDoes() throws {
    let path = try #require(ProcessInfo.processInfo.environment["RERANKD_TEST_TOKENIZERS"])
    let folder = URL(filePath: path, directoryHint: .isDirectory)
    let goldens = try Self.goldens(in: folder)
    #expect(goldens.texts.count >= 20_000)
    for (name, golden) in goldens.tokenizers {
      try expectGoldens(goldens, name, in: folder)
      let tokenizer = try Self.tokenizer(name, in: folder, .recognised)
      expectScalars(try #require(golden.scalars), tokenizer, name)
    }
  }

  private func expectGoldens(_ goldens: Goldens, _ name: String, in folder: URL) throws {
    let golden = try #require(goldens.tokenizers[name])
    for (mode, digests) in [
      (Tokenizer.ControlTokens.areText, golden.text), (.recognised, golden.recognised),
    ] {
      let tokenizer = try Self.tokenizer(name, in: folder, mode)
      var expected = digests[...]
      #expect(expected.utf8.count == 8 * goldens.texts.count)
      for text in goldens.texts {
        let ids = tokenizer.encode(text)
        #expect(digest(ids) == expected.prefix(8), "\(name), \(mode): \(text.debugDescription)")
        expected = expected.dropFirst(8)
      }
    }
  }

  private func expectScalars(_ digests: String, _ tokenizer: Tokenizer, _ name: String) {
    var expected = digests[...]
    for block in Array(0..<0x20) + [0xE0] {
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for value in UInt32(block * 4_096)..<UInt32((block + 1) * 4_096) {
        guard let scalar = Unicode.Scalar(value) else { continue }
        let text = "\(scalar) a\(scalar)1\u{301}\(scalar)'\(scalar)\u{301}\u{200D}\(scalar)"
        add(tokenizer.encode(text), to: &hash)
      }
      #expect(
        hexadecimal(hash) == expected.prefix(8),
        "\(name): scalars from \(String(block * 4_096, radix: 16))")
      expected = expected.dropFirst(8)
    }
  }

  private func digest(_ ids: [Int32]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    add(ids, to: &hash)
    return hexadecimal(hash)
  }

  /// FNV-1a over the ids as four bytes each, the lowest first.
  private func add(_ ids: [Int32], to hash: inout UInt64) {
    for id in ids {
      for shift in [0, 8, 16, 24] {
        hash = (hash ^ UInt64(UInt32(bitPattern: id) >> UInt32(shift) & 0xFF)) &* 0x100_0000_01B3
      }
    }
  }

  private func hexadecimal(_ hash: UInt64) -> String {
    let digits = String(hash >> 32, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
