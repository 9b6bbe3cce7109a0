/// Tokens and their ids, found by bytes: Swift's String equality is canonical, so distinct tokens
/// would be one key.
///
/// One byte buffer holds all tokens, and an open-addressing hash table finds them. Pieces that
/// continue a word are kept without their prefix, apart from those that begin one.
struct Vocabulary: Sendable {
  /// 0 in a slot is empty; else the hash's upper half and the entry's number + 1.
  private var slots: [UInt64]
  private let mask: Int
  private let bytes: [UInt8]
  private var entries: [Entry] = []
  /// Of the longest token, without the prefix of pieces that continue a word.
  private(set) var tokenBytesMax = 0
  /// The largest id + 1.
  private(set) var idBound: Int32 = 0

  /// Of different tokens.
  var count: Int { entries.count }

  private struct Entry {
    var start: UInt32
    var length: UInt16
    var continues: Bool
    var id: Int32
  }

  /// Where a token lies in the byte buffer, and its id.
  struct Token {
    var range: Range<Int>
    var id: Int32
  }

  /// - Parameters:
  ///   - bytes: holds every token.
  ///   - tokens: of two with the same bytes the later one counts, as in the reference.
  ///   - continuationPrefix: what marks pieces that continue a word, "##" with BERT.
  init(bytes: [UInt8], tokens: [Token], continuationPrefix: [UInt8]) throws(TokenizationError) {
    guard tokens.count <= TokenizerLimits.vocabularyTokensMax else {
      throw TokenizationError(
        code: .unsupported,
        message: "the vocabulary has \(tokens.count) tokens, more than "
          + "\(TokenizerLimits.vocabularyTokensMax)")
    }
    self.bytes = bytes
    var slotCount = 16
    while slotCount < tokens.count * 2 { slotCount *= 2 }
    slots = Array(repeating: 0, count: slotCount)
    mask = slotCount - 1
    entries.reserveCapacity(tokens.count)
    for token in tokens { try insert(token, continuationPrefix) }
  }

  /// FNV-1a, extended byte by byte so that one pass hashes every prefix of a word.
  @inline(__always)
  static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
    (hash ^ UInt64(byte)) &* 0x100_0000_01B3
  }

  /// What the hash of a token's bytes starts from.
  @inline(__always)
  static func seed(continues: Bool) -> UInt64 {
    continues ? 0x9E37_79B9_7F4A_7C15 : 0xCBF2_9CE4_8422_2325
  }

  /// The id of a token whose bytes have this hash.
  @inline(__always)
  func id(_ token: UnsafeBufferPointer<UInt8>, hash: UInt64, continues: Bool) -> Int32? {
    let mixed = Self.mixed(hash)
    var slot = Int(truncatingIfNeeded: mixed) & mask
    while slots[slot] != 0 {
      if slots[slot] >> 32 == mixed >> 32 {
        let entry = entries[Int(slots[slot] & 0xFFFF_FFFF) - 1]
        if entry.continues == continues, isEqual(entry, token) { return entry.id }
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The id of a token that begins a word, or stands alone as control tokens do.
  func id(_ token: [UInt8]) -> Int32? {
    token.withUnsafeBufferPointer { id($0) }
  }

  func id(_ token: UnsafeBufferPointer<UInt8>) -> Int32? {
    var hash = Self.seed(continues: false)
    for byte in token { hash = Self.hash(hash, byte) }
    return id(token, hash: hash, continues: false)
  }

  /// Calls `body` with each token's bytes and id.
  func forEach(_ body: (UnsafeBufferPointer<UInt8>, Int32) -> Void) {
    bytes.withUnsafeBufferPointer { bytes in
      for entry in entries {
        let start = Int(entry.start)
        body(UnsafeBufferPointer(rebasing: bytes[start..<start + Int(entry.length)]), entry.id)
      }
    }
  }

  @inline(__always)
  private func isEqual(_ entry: Entry, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
    guard Int(entry.length) == token.count else { return false }
    let start = Int(entry.start)
    for offset in 0..<token.count where bytes[start + offset] != token[offset] { return false }
    return true
  }

  /// FNV's low bits alone spread short tokens badly.
  @inline(__always)
  private static func mixed(_ hash: UInt64) -> UInt64 {
    (hash ^ hash >> 29) &* 0xBF58_476D_1CE4_E5B9
  }

  private mutating func insert(_ token: Token, _ prefix: [UInt8]) throws(TokenizationError) {
    guard token.range.count <= TokenizerLimits.tokenBytesMax else {
      throw TokenizationError(
        code: .unsupported,
        message: "token \(token.id) of the vocabulary has \(token.range.count) bytes, more than "
          + "\(TokenizerLimits.tokenBytesMax)")
    }
    let continues =
      !prefix.isEmpty && token.range.count > prefix.count
      && bytes[token.range].starts(with: prefix)
    let range = continues ? token.range.dropFirst(prefix.count) : token.range
    let entry = Entry(
      start: UInt32(range.lowerBound), length: UInt16(range.count), continues: continues,
      id: token.id)
    tokenBytesMax = max(tokenBytesMax, range.count)
    idBound = max(idBound, token.id + 1)
    let mixed = Self.mixed(bytes[range].reduce(Self.seed(continues: continues), Self.hash))
    var slot = Int(truncatingIfNeeded: mixed) & mask
    while slots[slot] != 0 {
      let index = Int(slots[slot] & 0xFFFF_FFFF) - 1
      let other = entries[index]
      let otherRange = Int(other.start)..<(Int(other.start) + Int(other.length))
      if other.continues == continues, bytes[otherRange] == bytes[range] {
        entries[index] = entry
        return
      }
      slot = (slot + 1) & mask
    }
    entries.append(entry)
    slots[slot] = (mixed >> 32) << 32 | UInt64(entries.count)
  }
}

extension Vocabulary {
  /// One token a line, whose number from 0 is its id. A line's end may be "\r\n"; a last line
  /// without one counts, an empty one does not.
  init(lines: [UInt8], continuationPrefix: [UInt8]) throws(TokenizationError) {
    var tokens: [Token] = []
    var start = 0
    while start < lines.count {
      let end = lines[start...].firstIndex(of: UInt8(ascii: "\n")) ?? lines.count
      let hasReturn = end > start && lines[end - 1] == UInt8(ascii: "\r")
      tokens.append(Token(range: start..<(hasReturn ? end - 1 : end), id: Int32(tokens.count)))
      start = end + 1
    }
    try self.init(bytes: lines, tokens: tokens, continuationPrefix: continuationPrefix)
  }
}
