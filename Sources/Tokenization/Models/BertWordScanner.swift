/// A word as the model meets it.
struct ScannedWord {
  /// Normalised UTF-8; cut short when ``scalarCount`` exceeds what the scanner keeps.
  var bytes: UnsafeBufferPointer<UInt8>
  /// At the last byte of each scalar in ``bytes``.
  var ends: SourceEnds
  var scalarCount: Int
  /// Where in the source the word ends.
  var end: Int
}

protocol WordSink {
  /// Nothing more is wanted.
  var isFull: Bool { get }
  mutating func append(_ word: ScannedWord)
}

/// Normalises text and cuts it into words in one pass over its bytes, without a normalised copy.
///
/// It does to each scalar, in the reference's order: clean, set ideographs apart, decompose and
/// remove nonspacing marks, lower-case; then it cuts at white space and around punctuation.
struct BertWordScanner<Sink: WordSink> {
  private typealias Class = UnicodeTables.Class

  private let normalization: BertNormalization
  private let asciiActions: ASCIIActions
  private let tables = UnicodeTables.shared
  private let scalarsMax: Int
  private let bytes: UnsafeMutablePointer<UInt8>
  private let ends: UnsafeMutablePointer<Int>
  private var byteCount = 0
  private var scalarCount = 0
  private var end = 0
  /// Scalars from here on have combining classes other than 0, and are kept in their order.
  private var runStart = 0
  private let sink: UnsafeMutablePointer<Sink>

  /// - Parameters:
  ///   - scalarsMax: scalars of a word that are kept; further ones are only counted.
  ///   - bytes, ends: room for four times as many elements.
  init(
    normalization: BertNormalization, asciiActions: ASCIIActions, scalarsMax: Int,
    bytes: UnsafeMutablePointer<UInt8>, ends: UnsafeMutablePointer<Int>,
    sink: UnsafeMutablePointer<Sink>
  ) {
    self.normalization = normalization
    self.asciiActions = asciiActions
    self.scalarsMax = scalarsMax
    self.bytes = bytes
    self.ends = ends
    self.sink = sink
  }

  /// Scans part of a text that ends between words.
  ///
  /// - Parameters:
  ///   - text: valid UTF-8.
  ///   - range: of the text's bytes, at boundaries of scalars.
  mutating func scan(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    guard let source = text.baseAddress else { return }
    var position = range.lowerBound
    while position < range.upperBound, !sink.pointee.isFull {
      let first = source[position]
      if first < 0x80 {
        position += 1
        scanASCII(first, end: position)
      } else {
        let length = UTF8Scalars.length(startingWith: first)
        let scalar = UTF8Scalars.decode(source + position, length)
        position += length
        scanScalar(scalar, end: position)
      }
    }
    finishWord()
  }

  @inline(__always)
  private mutating func scanASCII(_ byte: UInt8, end: Int) {
    let action = asciiActions[byte]
    if action < 0x80 {
      append(UInt32(action), end: end)
    } else if action == ASCIIActions.punctuation {
      appendWord(UInt32(byte), end: end)
    } else if action == ASCIIActions.whitespace {
      finishWord()
    } else {
      extend(to: end)
    }
  }

  private mutating func scanScalar(_ scalar: UInt32, end: Int) {
    let classes = tables.classes[scalar]
    if normalization.cleansText {
      if classes & Class.removed != 0 { return extend(to: end) }
      if classes & Class.whitespace != 0 { return finishWord() }
    }
    if normalization.splitsChineseCharacters, classes & Class.chinese != 0 {
      finishWord()
      strip(scalar, classes, end: end)
      finishWord()
    } else {
      strip(scalar, classes, end: end)
    }
  }

  /// Decomposes a scalar and leaves out its nonspacing marks, where accents are stripped.
  private mutating func strip(_ scalar: UInt32, _ classes: UInt8, end: Int) {
    guard normalization.stripsAccents else { return lowercase(scalar, classes, end: end) }
    if let range = tables.strippedAccents[scalar] {
      if range.isEmpty {
        if classes & Class.combining == 0 { runStart = byteCount }
        return extend(to: end)
      }
      for index in range { lowercase(tables.strippedAccents.targets[index], end: end) }
    } else if scalar &- 0xAC00 < 11_172 {
      let syllable = scalar - 0xAC00
      lowercase(0x1100 + syllable / 588, end: end)
      lowercase(0x1161 + syllable % 588 / 28, end: end)
      if syllable % 28 != 0 { lowercase(0x11A7 + syllable % 28, end: end) }
    } else {
      lowercase(scalar, classes, end: end)
    }
  }

  private mutating func lowercase(_ scalar: UInt32, end: Int) {
    lowercase(scalar, tables.classes[scalar], end: end)
  }

  private mutating func lowercase(_ scalar: UInt32, _ classes: UInt8, end: Int) {
    if normalization.lowercases, let range = tables.lowerCase[scalar] {
      for index in range { place(tables.lowerCase.targets[index], end: end) }
    } else {
      place(scalar, classes, end: end)
    }
  }

  private mutating func place(_ scalar: UInt32, end: Int) {
    place(scalar, tables.classes[scalar], end: end)
  }

  private mutating func place(_ scalar: UInt32, _ classes: UInt8, end: Int) {
    if classes & (Class.whitespace | Class.punctuation | Class.combining) == 0 {
      append(scalar, end: end)
    } else if classes & Class.whitespace != 0 {
      finishWord()
    } else if classes & Class.punctuation != 0 {
      appendWord(scalar, end: end)
    } else if normalization.stripsAccents {
      appendInOrder(scalar, end: end)
    } else {
      append(scalar, end: end)
    }
  }

  @inline(__always)
  private mutating func append(_ scalar: UInt32, end: Int) {
    insert(scalar, at: byteCount, end: end)
    runStart = byteCount
  }

  private mutating func appendWord(_ scalar: UInt32, end: Int) {
    finishWord()
    append(scalar, end: end)
    finishWord()
  }

  /// Puts a scalar behind those of its run whose combining class is not larger than its own.
  private mutating func appendInOrder(_ scalar: UInt32, end: Int) {
    let combiningClass = tables.combiningClasses[scalar]
    var position = byteCount
    while position > runStart {
      var start = position - 1
      while bytes[start] & 0xC0 == 0x80 { start -= 1 }
      let other = UTF8Scalars.decode(bytes + start, position - start)
      guard tables.combiningClasses[other] > combiningClass else { break }
      position = start
    }
    insert(scalar, at: position, end: end)
  }

  @inline(__always)
  private mutating func insert(_ scalar: UInt32, at position: Int, end: Int) {
    self.end = end
    scalarCount += 1
    guard scalarCount <= scalarsMax else { return }
    let length = UTF8Scalars.length(of: scalar)
    if position < byteCount {
      (bytes + position + length).update(from: bytes + position, count: byteCount - position)
      (ends + position + length).update(from: ends + position, count: byteCount - position)
    }
    UTF8Scalars.encode(scalar, length, to: bytes + position)
    byteCount += length
    ends[position + length - 1] = end
  }

  /// What was removed from a word belongs to the scalar before it.
  private mutating func extend(to end: Int) {
    guard byteCount > 0 else { return }
    self.end = end
    ends[byteCount - 1] = end
  }

  @inline(__always)
  private mutating func finishWord() {
    if scalarCount > 0 {
      sink.pointee.append(
        ScannedWord(
          bytes: UnsafeBufferPointer(start: bytes, count: byteCount),
          ends: SourceEnds(ends: ends, start: 0),
          scalarCount: scalarCount, end: end))
    }
    byteCount = 0
    scalarCount = 0
    runStart = 0
  }
}

/// What is done with each ASCII character, the bulk of most text: one look-up.
struct ASCIIActions: Sendable {
  static let whitespace: UInt8 = 0x80
  static let removed: UInt8 = 0x81
  static let punctuation: UInt8 = 0x82

  /// Less than 0x80: what is appended to the word.
  private var actions: [UInt8]

  init(_ normalization: BertNormalization) {
    actions = (UInt32(0)..<0x80).map { scalar in
      typealias Class = UnicodeTables.Class
      let classes = UnicodeTables.shared.classes[scalar]
      if normalization.cleansText, classes & Class.removed != 0 { return Self.removed }
      if classes & Class.whitespace != 0 { return Self.whitespace }
      if classes & Class.punctuation != 0 { return Self.punctuation }
      let isUpper = UInt32(UInt8(ascii: "A"))...UInt32(UInt8(ascii: "Z")) ~= scalar
      return UInt8(normalization.lowercases && isUpper ? scalar + 0x20 : scalar)
    }
  }

  @inline(__always)
  subscript(byte: UInt8) -> UInt8 { actions[Int(byte)] }
}
