/// A step of cutting a text into words, as tokenizer.json names them.
enum PreTokenizer: Sendable {
  enum PrependScheme: String, Sendable {
    case always, first, never
  }

  case bert
  case whitespace
  case whitespaceSplit
  case punctuation(SplitBehavior)
  case digits(individual: Bool)
  /// Marks words by a replacement of the blank before them.
  case metaspace(replacement: [UInt8], prepend: PrependScheme, splits: Bool)
  /// That the model reads bytes is the model's own matter: `BytePairEncoding`.
  case byteLevel(addsBlank: Bool, usesPattern: Bool)
  case split(SplitPattern, SplitBehavior)
  /// Cuts at a text.
  case splitText([UInt8], SplitBehavior)
  /// Digits behind a step that has made characters of bytes, some of which are numeric.
  case byteDigits(individual: Bool)

  func cut(_ text: inout TextPieces) {
    switch self {
    case .bert:
      Self.cutAtWhitespace(&text)
      Self.cut(&text, .isolated, UnicodeTables.shared.classes, UnicodeTables.Class.punctuation)
    case .whitespace: Self.cutIntoWordsAndSymbols(&text)
    case .whitespaceSplit: Self.cutAtWhitespace(&text)
    case .punctuation(let behavior):
      Self.cut(&text, behavior, UnicodeTables.shared.classes, UnicodeTables.Class.punctuation)
    case .digits(let individual):
      Self.cut(
        &text, individual ? .isolated : .contiguous, TextTables.shared.classes,
        TextTables.Class.numeric)
    case .metaspace(let replacement, let prepend, let splits):
      Self.markBlanks(&text, replacement, prepend)
      if splits {
        text.cut(at: .mergedWithNext) { bytes, piece, matches in
          ByteSearch.appendOccurrences(of: replacement, in: bytes, piece, to: &matches)
        }
      }
    case .byteLevel(let addsBlank, let usesPattern):
      if addsBlank { Self.prependBlank(&text) }
      if usesPattern { text.cut(SplitPattern.gpt2.cut) }
    case .split(let pattern, let behavior):
      // Patterns of words leave nothing between their matches.
      if behavior == .isolated, pattern.coversAll { return text.cut(pattern.cut) }
      text.cut(at: behavior, pattern.cut)
    case .splitText(let pattern, let behavior):
      text.cut(at: behavior) { bytes, piece, matches in
        ByteSearch.appendOccurrences(of: pattern, in: bytes, piece, to: &matches)
      }
    case .byteDigits(let individual):
      text.cut(at: individual ? .isolated : .contiguous) { bytes, piece, matches in
        for position in piece where Self.isNumericByteCharacter(bytes[position]) {
          matches.append(position..<position + 1)
        }
      }
    }
  }

  private static func cut(
    _ text: inout TextPieces, _ behavior: SplitBehavior, _ table: ScalarTable<UInt8>,
    _ bits: UInt8
  ) {
    text.cut(at: behavior) { bytes, piece, matches in
      var reader = ScalarReader(bytes, piece)
      while true {
        let start = reader.position
        guard let scalar = reader.next() else { break }
        if table[scalar] & bits != 0 { matches.append(start..<reader.position) }
      }
    }
  }

  private static func cutAtWhitespace(_ text: inout TextPieces) {
    let classes = UnicodeTables.shared.classes
    text.cut { bytes, piece, cut in
      var reader = ScalarReader(bytes, piece)
      var start = piece.lowerBound
      while true {
        let position = reader.position
        let scalar = reader.next()
        let isBlank = scalar.map { classes[$0] & UnicodeTables.Class.whitespace != 0 } ?? true
        if isBlank {
          if start < position { cut.append(start..<position) }
          start = reader.position
        }
        if scalar == nil { break }
      }
    }
  }

  /// The pattern "\w+|[^\w\s]+".
  private static func cutIntoWordsAndSymbols(_ text: inout TextPieces) {
    let words = TextTables.shared
    let classes = UnicodeTables.shared.classes
    text.cut { bytes, piece, cut in
      var reader = ScalarReader(bytes, piece)
      var start = piece.lowerBound
      /// nil among blanks.
      var isWord: Bool?
      while true {
        let position = reader.position
        var kind: Bool?
        let scalar = reader.next()
        if let scalar {
          let isBlank = classes[scalar] & UnicodeTables.Class.whitespace != 0
          kind = isBlank ? nil : words.has(scalar, TextTables.Class.word)
        }
        if kind != isWord || scalar == nil {
          if isWord != nil, start < position { cut.append(start..<position) }
          start = position
          isWord = kind
        }
        if scalar == nil { break }
      }
    }
  }

  private static func markBlanks(
    _ text: inout TextPieces, _ replacement: [UInt8], _ prepend: PrependScheme
  ) {
    text.rewritePieces { bytes, piece, isFirst, rewriter in
      let blank = UInt8(ascii: " ")
      let isMarked = bytes[piece.lowerBound] == blank || bytes[piece].starts(with: replacement)
      if !isMarked, prepend == .always || prepend == .first && isFirst {
        rewriter.append(replacement, upTo: piece.lowerBound)
      }
      var copied = piece.lowerBound
      for position in piece where bytes[position] == blank {
        rewriter.copy(copied..<position)
        copied = position + 1
        rewriter.append(replacement, upTo: copied)
      }
      rewriter.copy(copied..<piece.upperBound)
    }
  }

  private static func prependBlank(_ text: inout TextPieces) {
    text.rewritePieces { bytes, piece, _, rewriter in
      let blank = UInt8(ascii: " ")
      if bytes[piece.lowerBound] != blank {
        rewriter.append(UInt32(blank), upTo: piece.lowerBound)
      }
      rewriter.copy(piece)
    }
  }

  /// Whether the character that stands for a byte is numeric: ASCII's digits, and "²³¹¼½¾", which
  /// stand for the bytes of their own numbers.
  private static func isNumericByteCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), 0xB2, 0xB3, 0xB9, 0xBC...0xBE: true
    default: false
    }
  }
}
