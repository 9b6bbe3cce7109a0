import Testing

@testable import Tokenization

/// Every Unicode scalar value, alone and between letters and marks, is normalised and cut as the
/// reference does it; `make_fixtures.py` says what the digests are of.
struct ScalarComparisonTests {
  private struct Digest: WordSink {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    var isFull: Bool { false }

    mutating func append(_ word: ScannedWord) {
      var index = 0
      while index < word.bytes.count {
        value = (value ^ UInt64(word.bytes[index])) &* 0x100_0000_01B3
        index += 1
      }
      value = value &* 0x100_0000_01B3
    }
  }

  @Test func everyScalarIsTreatedAsTheReferenceTreatsIt() throws {
    let expected = try Fixtures.scalarDigests()
    let models = try Fixtures.settings.map { (setting: $0, model: try wordPiece($0)) }
    for block in 0..<(0x110000 / 4_096) {
      let text = text(ofBlock: block)
      // Planes 4 to 13 hold no characters: there one setting says all.
      let isEmptyPlane = 0x40..<0xE0 ~= block
      for (setting, model) in models where setting == "uncased" || !isEmptyPlane {
        var digest = Digest()
        text.withUnsafeBufferPointer { model.scan($0, 0..<$0.count, into: &digest) }
        let hexadecimal = String(digest.value, radix: 16)
        let padded = String(repeating: "0", count: 16 - hexadecimal.count) + hexadecimal
        #expect(
          padded == expected[setting]?[block],
          "\(setting): scalars from \(String(block * 4_096, radix: 16))")
      }
    }
  }

  private func wordPiece(_ setting: String) throws -> WordPiece {
    let pipeline = try Fixtures.tokenizer(setting).pipeline
    guard case .wordPiece(let model) = pipeline.model else {
      throw TokenizationError(code: .malformed, message: "another model than WordPiece")
    }
    return model
  }

  private func text(ofBlock block: Int) -> [UInt8] {
    var text: [UInt8] = []
    let between: [UInt8] = [0x20, 0x61]
    let marks: [UInt8] = [0xCC, 0x81, 0xE3, 0x80, 0xAE]
    let end: [UInt8] = [0x62, 0x20]
    for value in UInt32(block * 4_096)..<UInt32((block + 1) * 4_096) {
      guard let scalar = Unicode.Scalar(value), let bytes = UTF8.encode(scalar).map(Array.init)
      else { continue }
      text += bytes
      text += between
      text += bytes
      text += marks
      text += bytes
      text += end
    }
    return text
  }

  @Test func combiningMarksAreOrderedByTheirClassesOnlyWithinARun() throws {
    let model = try wordPiece("uncased")
    func words(_ text: String) -> [String] {
      struct Words: WordSink {
        var words: [String] = []
        var isFull: Bool { false }
        mutating func append(_ word: ScannedWord) {
          words.append(String(decoding: word.bytes, as: UTF8.self))
        }
      }
      var words = Words()
      Array(text.utf8).withUnsafeBufferPointer {
        model.scan($0, 0..<$0.count, into: &words)
      }
      return words.words
    }
    // Classes 224 and 216; U+0900 is a removed mark of class 0.
    #expect(words("a\u{302E}\u{1D165}").map(Array.init(_:)) == [Array("a\u{1D165}\u{302E}")])
    let apart = words("a\u{302E}\u{900}\u{1D165}").first?.unicodeScalars.map(\.value)
    #expect(apart == [0x61, 0x302E, 0x1D165])
  }
}
