/// A step of what is done to a text before it is cut, as tokenizer.json names them.
enum Normalizer: Sendable {
  case bert(BertNormalization)
  case unicode(UnicodeForm)
  case lowercase
  /// Removes marks; the text is to be decomposed before.
  case stripAccents
  /// Removes white space at the ends.
  case strip(left: Bool, right: Bool)
  case replace(pattern: [UInt8], content: [UInt8])
  /// Replaces runs of two blanks or more: the pattern " {2,}", which SentencePiece models ask for.
  case replaceBlanks(content: [UInt8])
  /// Puts something before a text that is not empty.
  case prepend([UInt8])
  case precompiled(PrecompiledMap)

  func normalized(_ text: NormalizedText) -> NormalizedText {
    if text.bytes.isEmpty { return text }
    switch self {
    case .bert(let normalization): return normalization.normalized(text)
    case .unicode(let form): return form.normalized(text)
    case .lowercase: return Self.lowercased(text)
    case .stripAccents:
      let tables = TextTables.shared
      return Self.removing(text) { tables.has($0, TextTables.Class.mark) }
    case .strip(let left, let right): return Self.stripped(text, left: left, right: right)
    case .replace(let pattern, let content):
      return Self.replaced(text, pattern: pattern, content: content)
    case .replaceBlanks(let content): return Self.blanksReplaced(text, content: content)
    case .prepend(let content):
      return text.rewritten { bytes, rewriter in
        rewriter.append(content, upTo: 0)
        rewriter.copy(0..<bytes.count)
      }
    case .precompiled(let map): return map.normalized(text)
    }
  }

  static func lowercased(_ text: NormalizedText) -> NormalizedText {
    let lowerCase = UnicodeTables.shared.lowerCase
    return text.rewrittenByScalar { scalar, position, rewriter in
      if let range = lowerCase[scalar] {
        for index in range { rewriter.append(lowerCase.targets[index], upTo: position) }
      } else {
        rewriter.append(scalar, upTo: position)
      }
    }
  }

  static func removing(
    _ text: NormalizedText, where isRemoved: (UInt32) -> Bool
  ) -> NormalizedText {
    text.rewrittenByScalar { scalar, position, rewriter in
      if isRemoved(scalar) {
        rewriter.remove(upTo: position)
      } else {
        rewriter.append(scalar, upTo: position)
      }
    }
  }

  private static func stripped(
    _ text: NormalizedText, left: Bool, right: Bool
  ) -> NormalizedText {
    let count = text.bytes.count
    let (start, end) = text.bytes.withUnsafeBufferPointer { bytes in
      let start = left ? AddedTokens.spaceEnd(bytes, 0) : 0
      return (start, right ? AddedTokens.spaceStart(bytes, start, count) : count)
    }
    if start == 0, end == count { return text }
    return text.rewritten { _, rewriter in
      if start > 0 { rewriter.remove(upTo: start) }
      if start < end { rewriter.copy(start..<end) }
    }
  }

  private static func replaced(
    _ text: NormalizedText, pattern: [UInt8], content: [UInt8]
  ) -> NormalizedText {
    var places: [Range<Int>] = []
    text.bytes.withUnsafeBufferPointer {
      ByteSearch.appendOccurrences(of: pattern, in: $0, 0..<$0.count, to: &places)
    }
    if places.isEmpty { return text }
    return text.rewritten { bytes, rewriter in
      var copied = 0
      for place in places {
        rewriter.copy(copied..<place.lowerBound)
        copied = place.upperBound
        if content.isEmpty { rewriter.remove(upTo: copied) }
        rewriter.append(content, upTo: copied)
      }
      rewriter.copy(copied..<bytes.count)
    }
  }

  private static func blanksReplaced(_ text: NormalizedText, content: [UInt8]) -> NormalizedText {
    let blank = UInt8(ascii: " ")
    let hasRun = text.bytes.withUnsafeBufferPointer { bytes in
      (1..<max(1, bytes.count)).contains { bytes[$0] == blank && bytes[$0 - 1] == blank }
    }
    if !hasRun { return text }
    return text.rewritten { bytes, rewriter in
      var copied = 0
      var position = 0
      while position < bytes.count {
        let start = position
        while position < bytes.count, bytes[position] == blank { position += 1 }
        if position - start >= 2 {
          rewriter.copy(copied..<start)
          if content.isEmpty { rewriter.remove(upTo: position) }
          rewriter.append(content, upTo: position)
          copied = position
        }
        position += 1
      }
      rewriter.copy(copied..<bytes.count)
    }
  }
}

enum ByteSearch {
  /// Where a pattern that is not empty occurs, from the left and without overlaps.
  static func appendOccurrences(
    of pattern: [UInt8], in text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>,
    to places: inout [Range<Int>]
  ) {
    guard let first = pattern.first else { return }
    var position = range.lowerBound
    while position + pattern.count <= range.upperBound {
      if text[position] == first, text[position...].starts(with: pattern) {
        places.append(position..<position + pattern.count)
        position += pattern.count
      } else {
        position += 1
      }
    }
  }
}
