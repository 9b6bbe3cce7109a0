/// Counts tokens where the worker has no tokenizer of the model: a bound from above.
///
/// A text costs its UTF-8 bytes. No tokenizer in use makes more tokens of it: byte-level BPE (Qwen,
/// Llama 3) has a token for every byte; WordPiece and Unigram pieces hold at least one character,
/// and bytes outnumber characters. What breaks this is normalisation that lengthens text before it
/// is cut (NFC, NFKC), so scalars that grow count as the larger form. One more token covers the
/// blank that sentencepiece puts in front.
///
/// For English prose this is about four times the true count. That is the price of the promise:
/// a pair that passes fits. Give the worker the model's tokenizer.json for exact counts.
public struct EstimatedTokenCounter: TokenCounter {
  public init() {}

  public var isEstimate: Bool { true }

  public func count(_ text: String) -> Int {
    text.isEmpty ? 0 : text.unicodeScalars.reduce(1) { $0 + Self.cost($1) }
  }

  public func truncate(_ text: String, toTokens tokensMax: Int) -> String {
    var cost = 1
    var end = text.startIndex
    while end < text.endIndex {
      let next = text.index(after: end)
      cost += text[end..<next].unicodeScalars.reduce(0) { $0 + Self.cost($1) }
      if cost > tokensMax { break }
      end = next
    }
    return String(text[..<end])
  }

  /// At least the scalar's bytes in UTF-8 and in NFC, and its scalars in NFKC.
  static func cost(_ scalar: Unicode.Scalar) -> Int {
    let value = scalar.value
    if value < 0xBC { return value < 0x80 ? 1 : 2 }
    var low = 0
    var high = growing.count
    while low < high {
      let middle = (low + high) / 2
      if growing[middle].last < value { low = middle + 1 } else { high = middle }
    }
    if low < growing.count, growing[low].first <= value { return growing[low].cost }
    return UTF8.width(scalar)
  }

  /// Ranges with scalars that normalisation lengthens, in order. Those from U+0300 on are marks that
  /// NFC puts before others, which can take a composed letter apart.
  private static let growing: [(first: UInt32, last: UInt32, cost: Int)] = [
    (0xBC, 0xBE, 3), (0x300, 0x36F, 6), (0x385, 0x385, 3), (0x958, 0x95F, 6),
    (0x9DC, 0x9DF, 6), (0xA33, 0xA36, 6), (0xA59, 0xA5E, 6), (0xB5C, 0xB5D, 6),
    (0xF43, 0xF81, 6), (0xF93, 0xFB9, 6), (0x2057, 0x2057, 4), (0x2152, 0x2152, 4),
    (0x2167, 0x2177, 4), (0x247D, 0x2487, 4), (0x2A0C, 0x2A0C, 4), (0x2ADC, 0x2ADC, 5),
    (0x321D, 0x321E, 4), (0x3300, 0x3356, 6), (0x337F, 0x3389, 4), (0x33A8, 0x33AF, 6),
    (0x33C2, 0x33C6, 4), (0x33D8, 0x33D8, 4), (0xFA6C, 0xFA6C, 4), (0xFACF, 0xFAD7, 4),
    (0xFB1D, 0xFB4E, 6), (0xFDF2, 0xFDFC, 18), (0x1D15E, 0x1D164, 12), (0x1D1BB, 0x1D1C0, 12),
  ]
}
