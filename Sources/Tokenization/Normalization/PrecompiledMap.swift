/// SentencePiece's normaliser: a map of texts to texts, as tokenizer.json has it in base64.
///
/// Source of the format: sentencepiece's `normalizer.cc`. The length of a double-array trie in
/// bytes, its units (32 bits each, little-endian), and the texts, each ended by a zero byte, to
/// whose places the trie's values point. It is looked up as the reference does: of a cluster of
/// less than six bytes the first, that is the shortest, key that it begins with decides about all
/// of it; of other clusters each scalar is looked up so.
struct PrecompiledMap: Sendable {
  private static let clusterBytesMax = 5

  private let trie: Trie
  /// For each ASCII character, where it stands alone: where its text begins, or -1.
  private let ascii: [Int]

  /// - Throws: ``TokenizationError`` when the trie is not whole.
  init(_ bytes: [UInt8]) throws(TokenizationError) {
    guard bytes.count >= 4 else { throw Self.malformed("it is shorter than its header") }
    let trieBytes = bytes[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard trieBytes >= 4, trieBytes.isMultiple(of: 4), trieBytes <= bytes.count - 4 else {
      throw Self.malformed("its trie of \(trieBytes) bytes is not whole")
    }
    let texts = Array(bytes[(4 + trieBytes)...])
    guard String(validating: texts, as: UTF8.self) != nil else {
      throw Self.malformed("its texts are not UTF-8")
    }
    let units = stride(from: 4, to: 4 + trieBytes, by: 4).map { start in
      (0..<4).reversed().reduce(0) { $0 << 8 | UInt32(bytes[start + $1]) }
    }
    let trie = Trie(units: units, texts: texts)
    ascii = (UInt8(0)..<0x80).map { trie.text([$0]) ?? -1 }
    self.trie = trie
  }

  func normalized(_ text: NormalizedText) -> NormalizedText {
    // Most texts are ASCII that stays as it is.
    if text.bytes.allSatisfy({ $0 < 0x80 && ascii[Int($0)] < 0 && $0 != 0x0D }) { return text }
    return text.rewritten { bytes, rewriter in
      var clusters = GraphemeClusters(bytes)
      while let cluster = clusters.next() {
        if cluster.count == 1 {
          let start = ascii[Int(bytes[cluster.lowerBound])]
          if start >= 0 {
            append(start, upTo: cluster.upperBound, to: &rewriter)
          } else {
            rewriter.append(UInt32(bytes[cluster.lowerBound]), upTo: cluster.upperBound)
          }
        } else {
          normalize(bytes, cluster, &rewriter)
        }
      }
    }
  }

  private func normalize(
    _ bytes: UnsafeBufferPointer<UInt8>, _ cluster: Range<Int>, _ rewriter: inout TextRewriter
  ) {
    if cluster.count <= Self.clusterBytesMax,
      let start = trie.text(bytes[cluster])
    {
      return append(start, upTo: cluster.upperBound, to: &rewriter)
    }
    var position = cluster.lowerBound
    while position < cluster.upperBound {
      let scalar = position..<position + UTF8Scalars.length(startingWith: bytes[position])
      if let start = trie.text(bytes[scalar]) {
        append(start, upTo: scalar.upperBound, to: &rewriter)
      } else {
        rewriter.copy(scalar)
      }
      position = scalar.upperBound
    }
  }

  private func append(_ start: Int, upTo position: Int, to rewriter: inout TextRewriter) {
    let text = trie.texts[start...].prefix { $0 != 0 }
    if text.isEmpty { return rewriter.remove(upTo: position) }
    rewriter.append(text, upTo: position)
  }

  private static func malformed(_ what: String) -> TokenizationError {
    TokenizationError(
      code: .malformed, message: "normalizer.precompiled_charsmap is damaged: \(what)")
  }

  private struct Trie {
    let units: [UInt32]
    let texts: [UInt8]

    /// Where the text of the shortest key begins that `key` begins with.
    @inline(__always)
    func text(_ key: some Collection<UInt8>) -> Int? {
      var node = Self.offset(units[0])
      for byte in key {
        guard byte != 0 else { return nil }
        node ^= Int(byte)
        guard node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { return nil }
        let hasLeaf = units[node] & 0x100 != 0
        node ^= Self.offset(units[node])
        if hasLeaf {
          guard node < units.count else { return nil }
          let start = Int(units[node] & 0x7FFF_FFFF)
          // A damaged map may point anywhere, and texts must begin with a scalar.
          let isStart = start == texts.count || start < texts.count && texts[start] & 0xC0 != 0x80
          return isStart ? start : nil
        }
      }
      return nil
    }

    private static func offset(_ unit: UInt32) -> Int {
      Int(unit >> 10) << Int((unit & 0x200) >> 6)
    }
  }
}
