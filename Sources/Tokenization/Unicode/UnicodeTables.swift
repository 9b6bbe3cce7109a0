/// What BERT's normaliser and pre-tokenizer do to each Unicode scalar.
///
/// The tables come from the reference implementation, whose Unicode version is neither Swift's nor
/// Foundation's; `UnicodeTables+Data.swift` names the script that makes them.
struct UnicodeTables: Sendable {
  /// What a scalar is to BERT: bits, since several can hold.
  enum Class {
    /// Control characters and the like, which cleaning removes.
    static let removed: UInt8 = 1
    static let whitespace: UInt8 = 2
    /// A word by itself: Unicode's punctuation, and ASCII's symbols too.
    static let punctuation: UInt8 = 4
    /// A CJK ideograph, which is a word by itself where the model says so.
    static let chinese: UInt8 = 8
    /// Its canonical combining class is not 0.
    static let combining: UInt8 = 16
  }

  /// Scalars replaced by others: `starts[n]..<starts[n + 1]` of `targets` for mapping n, of which
  /// 0 stands for a scalar that stays as it is.
  struct Folds: Sendable {
    private var mappings = ScalarTable<UInt16>()
    private var starts: [Int32] = [0, 0]
    private(set) var targets: [UInt32] = []

    /// Those that do not stay as they are.
    var scalars: [UInt32] { mappings.scalars }

    /// nil where the scalar stays as it is.
    @inline(__always)
    subscript(scalar: UInt32) -> Range<Int>? {
      let mapping = Int(mappings[scalar])
      guard mapping != 0 else { return nil }
      return Int(starts[mapping])..<Int(starts[mapping + 1])
    }

    init(_ text: StaticString) {
      var stream = NumberStream(base64: text)
      var scalar = 0
      while !stream.isAtEnd {
        scalar += stream.next()
        let length = stream.next()
        let differences = (0..<stream.next()).map { _ in stream.nextSigned() }
        for source in scalar..<(scalar + length) {
          targets.append(contentsOf: differences.map { UInt32(source + $0) })
          mappings.fill(source..<(source + 1), with: UInt16(starts.count - 1))
          starts.append(Int32(targets.count))
        }
        scalar += length
      }
    }
  }

  static let shared = UnicodeTables()

  /// Bits of ``Class``.
  let classes: ScalarTable<UInt8>
  /// Canonical decomposition without nonspacing marks; Hangul syllables are left to arithmetic.
  let strippedAccents: Folds
  let lowerCase: Folds
  /// Canonical combining classes.
  let combiningClasses: ScalarTable<UInt8>

  private init() {
    classes = Self.table(UnicodeTableData.classes, hasGaps: false)
    combiningClasses = Self.table(UnicodeTableData.combiningClasses, hasGaps: true)
    strippedAccents = Folds(UnicodeTableData.strippedAccents)
    lowerCase = Folds(UnicodeTableData.lowerCase)
  }

  static func table(_ text: StaticString, hasGaps: Bool) -> ScalarTable<UInt8> {
    var stream = NumberStream(base64: text)
    var table = ScalarTable<UInt8>()
    var scalar = 0
    while !stream.isAtEnd {
      if hasGaps { scalar += stream.next() }
      let end = scalar + stream.next()
      let value = UInt8(stream.next())
      if value != 0 { table.fill(scalar..<end, with: value) }
      scalar = end
    }
    return table
  }
}

/// Unsigned LEB128 numbers in base64.
private struct NumberStream {
  private let bytes: [UInt8]
  private var position = 0

  init(base64 text: StaticString) {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount = 0
    for index in 0..<text.utf8CodeUnitCount {
      guard let digit = Self.digit(text.utf8Start[index]) else { break }
      bits = bits << 6 | digit
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
      }
    }
    self.bytes = bytes
  }

  /// nil for the padding at the end.
  private static func digit(_ character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }

  var isAtEnd: Bool { position == bytes.count }

  mutating func next() -> Int {
    var value = 0
    var shift = 0
    while true {
      let byte = bytes[position]
      position += 1
      value |= Int(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 { return value }
    }
  }

  /// Zigzag: 0, −1, 1, −2 …
  mutating func nextSigned() -> Int {
    let value = next()
    return value & 1 == 0 ? value >> 1 : -(value >> 1) - 1
  }
}
