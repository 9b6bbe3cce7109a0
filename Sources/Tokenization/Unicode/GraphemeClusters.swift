/// Cuts text into extended grapheme clusters (UAX 29), as the Precompiled normaliser asks for them:
/// of clusters of six bytes and more it looks at the scalars alone, so what decides only within
/// such ones, as between regional indicators, is left out.
struct GraphemeClusters {
  private typealias Cluster = TextTables.Cluster

  private let tables = TextTables.shared
  private var reader: ScalarReader

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    reader = ScalarReader(bytes, 0..<bytes.count)
  }

  /// The bytes of the next cluster.
  mutating func next() -> Range<Int>? {
    let start = reader.position
    guard var last = reader.next() else { return nil }
    if last < 0x80, last != 0x0D, let next = reader.peek(), next < 0x80 {
      return start..<reader.position
    }
    var state = State(last, tables.clusters[last])
    while let scalar = reader.peek() {
      let bits = tables.clusters[scalar]
      guard joins(last, scalar, bits, state) else { break }
      state.advance(scalar, bits)
      last = scalar
      _ = reader.next()
    }
    return start..<reader.position
  }

  private func joins(_ last: UInt32, _ scalar: UInt32, _ bits: UInt8, _ state: State) -> Bool {
    if last == 0x0D, scalar == 0x0A { return true }
    if (state.bits | bits) & Cluster.control != 0 { return false }
    if bits & Cluster.extending != 0 || state.bits & Cluster.prepended != 0 { return true }
    if state.awaitsPictograph, bits & Cluster.pictograph != 0 { return true }
    if state.awaitsConsonant, bits & Cluster.consonant != 0 { return true }
    return HangulKind(last)?.joins(HangulKind(scalar)) == true
  }

  private struct State {
    /// Of the last scalar.
    var bits: UInt8
    /// After a pictograph, and extending scalars.
    private var isPictographic: Bool
    private(set) var awaitsPictograph = false
    /// After a consonant, and linkers and their like.
    private var isConjunct: Bool
    private(set) var awaitsConsonant = false

    init(_ scalar: UInt32, _ bits: UInt8) {
      self.bits = bits
      isPictographic = bits & Cluster.pictograph != 0
      isConjunct = bits & Cluster.consonant != 0
    }

    mutating func advance(_ scalar: UInt32, _ bits: UInt8) {
      self.bits = bits
      let isJoiner = scalar == 0x200D
      awaitsPictograph = isPictographic && isJoiner
      isPictographic =
        bits & Cluster.pictograph != 0
        || isPictographic && !isJoiner && bits & Cluster.extend != 0
      if bits & Cluster.consonant != 0 {
        isConjunct = true
        awaitsConsonant = false
      } else if isConjunct, bits & Cluster.linker != 0 {
        awaitsConsonant = true
      } else if bits & Cluster.conjunct == 0 {
        isConjunct = false
        awaitsConsonant = false
      }
    }
  }
}

private enum HangulKind {
  case leading, vowel, trailing, open, closed

  init?(_ scalar: UInt32) {
    switch scalar {
    case 0x1100...0x115F, 0xA960...0xA97C: self = .leading
    case 0x1160...0x11A7, 0xD7B0...0xD7C6: self = .vowel
    case 0x11A8...0x11FF, 0xD7CB...0xD7FB: self = .trailing
    case Hangul.syllables: self = (scalar - 0xAC00).isMultiple(of: 28) ? .open : .closed
    default: return nil
    }
  }

  func joins(_ next: HangulKind?) -> Bool {
    switch (self, next) {
    case (.leading, .leading), (.leading, .vowel), (.leading, .open), (.leading, .closed),
      (.open, .vowel), (.open, .trailing), (.vowel, .vowel), (.vowel, .trailing),
      (.closed, .trailing), (.trailing, .trailing):
      true
    default: false
    }
  }
}
