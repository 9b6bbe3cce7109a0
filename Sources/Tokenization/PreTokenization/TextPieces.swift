/// A text and the pieces it has been cut into so far, none of them empty, from left to right; what
/// lies between them is left out.
struct TextPieces {
  private(set) var text: NormalizedText
  private(set) var pieces: [Range<Int>]

  init(_ text: NormalizedText) {
    self.text = text
    pieces = text.bytes.isEmpty ? [] : [0..<text.bytes.count]
  }

  /// Cuts every piece into those that `body` appends, given the text's bytes and the piece.
  mutating func cut(
    _ body: (UnsafeBufferPointer<UInt8>, Range<Int>, inout [Range<Int>]) -> Void
  ) {
    var cut: [Range<Int>] = []
    cut.reserveCapacity(max(pieces.count, text.bytes.count / 4))
    text.bytes.withUnsafeBufferPointer { bytes in
      for piece in pieces { body(bytes, piece, &cut) }
    }
    pieces = cut
  }

  /// Cuts every piece at the matches that `matches` appends, in their order.
  mutating func cut(
    at behavior: SplitBehavior,
    _ matches: (UnsafeBufferPointer<UInt8>, Range<Int>, inout [Range<Int>]) -> Void
  ) {
    var found: [Range<Int>] = []
    cut { bytes, piece, cut in
      found.removeAll(keepingCapacity: true)
      matches(bytes, piece, &found)
      behavior.cut(piece, at: found, into: &cut)
    }
  }

  /// Replaces every piece by what `body` appends; it gives back where it cuts what it has appended.
  mutating func rewritePieces(
    _ body: (UnsafeBufferPointer<UInt8>, Range<Int>, Bool, inout TextRewriter) -> Void
  ) {
    var rewritten: [Range<Int>] = []
    rewritten.reserveCapacity(pieces.count)
    text = text.rewritten { bytes, rewriter in
      for piece in pieces {
        let start = rewriter.bytes.count
        // A piece is the source's first where nothing was left out or removed before it.
        let isFirst = text.beginsSource && piece.lowerBound == 0
        body(bytes, piece, isFirst, &rewriter)
        if rewriter.bytes.count > start { rewritten.append(start..<rewriter.bytes.count) }
      }
    }
    pieces = rewritten
  }
}

/// What becomes of the matches that pieces are cut at.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// - Parameter matches: parts of the piece that do not overlap, from left to right.
  func cut(_ piece: Range<Int>, at matches: [Range<Int>], into cut: inout [Range<Int>]) {
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var position = piece.lowerBound
    for match in matches {
      if position < match.lowerBound { parts.append((position..<match.lowerBound, false)) }
      parts.append((match, true))
      position = match.upperBound
    }
    if position < piece.upperBound { parts.append((position..<piece.upperBound, false)) }

    let start = cut.count
    switch self {
    case .removed:
      for part in parts where !part.isMatch { cut.append(part.range) }
    case .isolated:
      for part in parts { cut.append(part.range) }
    case .contiguous:
      var isAfterMatch = false
      for part in parts {
        if part.isMatch == isAfterMatch, cut.count > start {
          cut[cut.count - 1] = cut[cut.count - 1].lowerBound..<part.range.upperBound
        } else {
          cut.append(part.range)
        }
        isAfterMatch = part.isMatch
      }
    case .mergedWithPrevious:
      var isAfterMatch = false
      for part in parts {
        if part.isMatch, !isAfterMatch, cut.count > start {
          cut[cut.count - 1] = cut[cut.count - 1].lowerBound..<part.range.upperBound
        } else {
          cut.append(part.range)
        }
        isAfterMatch = part.isMatch
      }
    case .mergedWithNext:
      var isBeforeMatch = false
      for part in parts.reversed() {
        if part.isMatch, !isBeforeMatch, cut.count > start {
          cut[cut.count - 1] = part.range.lowerBound..<cut[cut.count - 1].upperBound
        } else {
          cut.append(part.range)
        }
        isBeforeMatch = part.isMatch
      }
      cut[start...].reverse()
    }
  }
}
