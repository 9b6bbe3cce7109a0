/// What patterns, pre-tokenizers and the cutting into grapheme clusters ask of a scalar, as the
/// reference implementation answers.
struct TextTables: Sendable {
  enum Class {
    /// \p{L} of regular expressions.
    static let letter: UInt8 = 1
    /// \p{N}
    static let number: UInt8 = 2
    /// \s
    static let space: UInt8 = 4
    /// \w, as the pre-tokenizer Whitespace and added tokens of single words ask.
    static let word: UInt8 = 8
    /// What the pre-tokenizer Digits sets apart.
    static let numeric: UInt8 = 16
    /// What the normaliser StripAccents removes.
    static let mark: UInt8 = 32
  }

  /// Of the properties that end or go on with an extended grapheme cluster: UAX 29.
  enum Cluster {
    static let control: UInt8 = 1
    /// Goes on with any cluster: Extend, SpacingMark and ZWJ.
    static let extending: UInt8 = 2
    static let prepended: UInt8 = 4
    static let pictograph: UInt8 = 8
    static let consonant: UInt8 = 16
    static let linker: UInt8 = 32
    /// May stand between a linker and its consonants.
    static let conjunct: UInt8 = 64
    /// May stand between a pictograph and a joiner.
    static let extend: UInt8 = 128
  }

  static let shared = TextTables()

  /// Bits of ``Class``.
  let classes: ScalarTable<UInt8>
  /// Bits of ``Cluster``.
  let clusters: ScalarTable<UInt8>
  /// ``classes`` of ASCII, without the table's two steps.
  let ascii: [UInt8]

  private init() {
    let classes = UnicodeTables.table(TextTableData.texts, hasGaps: false)
    self.classes = classes
    clusters = UnicodeTables.table(TextTableData.graphemes, hasGaps: false)
    ascii = (UInt32(0)..<0x80).map { classes[$0] }
  }

  @inline(__always)
  func has(_ scalar: UInt32, _ bits: UInt8) -> Bool { classes[scalar] & bits != 0 }
}
