/// Byte-pair encoding: a word's symbols, its bytes or its scalars, are merged pair by pair, always
/// the pair that was merged first in training and of those the leftmost.
struct BytePairEncoding: Sendable {
  /// Tokens by their bytes: with ``readsBytes`` those that the token's characters stand for.
  let vocabulary: Vocabulary
  let merges: MergeTable
  /// The symbols are bytes (GPT-2, Qwen, ModernBERT) rather than scalars (SentencePiece's).
  let readsBytes: Bool
  /// What a symbol becomes that the vocabulary lacks; without it such symbols are left out.
  let unknownID: Int32?
  /// Unknown symbols in a row are one token.
  let fusesUnknown: Bool
  /// Each byte's token "<0x00>", which a scalar that the vocabulary lacks becomes; negative where
  /// there is none. Empty where the model does not ask for it.
  let byteFallback: [Int32]
  /// The tokens of single bytes, negative where there is none.
  private let byteIDs: [Int32]
  /// By id, the tokens that a word of their bytes becomes: nearly all, and nearly all words are
  /// tokens, so that few words are merged at all.
  private var isWhole: [Bool] = []

  /// - Parameter ignoresMerges: a word that is a token stays whole, whatever the merges are.
  init(
    vocabulary: Vocabulary, merges: MergeTable, readsBytes: Bool, unknownID: Int32?,
    fusesUnknown: Bool, byteFallback: [Int32], ignoresMerges: Bool
  ) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.readsBytes = readsBytes
    self.unknownID = unknownID
    self.fusesUnknown = fusesUnknown
    self.byteFallback = byteFallback
    byteIDs = (UInt8.min...UInt8.max).map { byte in
      readsBytes || byte < 0x80 ? vocabulary.id([byte]) ?? -1 : -1
    }
    var isWhole = Array(repeating: ignoresMerges, count: Int(vocabulary.idBound))
    if !ignoresMerges {
      vocabulary.forEach { token, id in
        guard 1...SymbolMerger.shortCountMax ~= token.count else { return }
        var list = TokenList(ids: [])
        merge(token, SourceEnds(ends: nil, start: 0), into: &list)
        isWhole[Int(id)] = list.ids == [id]
      }
    }
    self.isWhole = isWhole
  }

  /// - Parameter token: as the vocabulary spells it.
  func id(ofToken token: [UInt8]) -> Int32? {
    guard readsBytes else { return vocabulary.id(token) }
    var bytes: [UInt8] = []
    let isSpelled = token.withUnsafeBufferPointer { ByteAlphabet.append($0, to: &bytes) }
    return isSpelled ? vocabulary.id(bytes) : nil
  }

  /// Appends the tokens of a word.
  func encode(
    _ word: UnsafeBufferPointer<UInt8>, _ ends: SourceEnds, into sink: inout some TokenSink
  ) {
    if word.count <= vocabulary.tokenBytesMax, let id = vocabulary.id(word), isWhole[Int(id)] {
      return sink.append(id, end: ends[word.count - 1])
    }
    merge(word, ends, into: &sink)
  }

  private func merge(
    _ word: UnsafeBufferPointer<UInt8>, _ ends: SourceEnds, into sink: inout some TokenSink
  ) {
    // A symbol more than there are bytes: what was unknown may come last.
    withUnsafeTemporaryAllocation(of: MergeSymbol.self, capacity: word.count + 1) { buffer in
      guard let symbols = buffer.baseAddress else { return }
      var list = SymbolList(symbols)
      if readsBytes { appendBytes(of: word, to: &list) } else { appendScalars(of: word, to: &list) }
      let count =
        list.count <= SymbolMerger.shortCountMax
        ? SymbolMerger.mergeShort(symbols, list.count, merges)
        : SymbolMerger.mergeLong(symbols, list.count, merges)
      for index in 0..<count {
        sink.append(symbols[index].id, end: ends[Int(symbols[index].end) - 1])
      }
    }
  }

  private func appendBytes(of word: UnsafeBufferPointer<UInt8>, to list: inout SymbolList) {
    var unknown = UnknownRun(self)
    for position in 0..<word.count {
      let id = byteIDs[Int(word[position])]
      if id >= 0 {
        unknown.finish(&list)
        list.append(id, end: position + 1)
      } else {
        unknown.extend(to: position + 1, &list)
      }
    }
    unknown.finish(&list)
  }

  private func appendScalars(of word: UnsafeBufferPointer<UInt8>, to list: inout SymbolList) {
    var unknown = UnknownRun(self)
    var position = 0
    while position < word.count {
      let start = position
      position += UTF8Scalars.length(startingWith: word[start])
      let scalar = UnsafeBufferPointer(rebasing: word[start..<position])
      let id = scalar.count == 1 ? byteIDs[Int(scalar[0])] : vocabulary.id(scalar) ?? -1
      if id >= 0 {
        unknown.finish(&list)
        list.append(id, end: position)
      } else if !byteFallback.isEmpty, scalar.allSatisfy({ byteFallback[Int($0)] >= 0 }) {
        // An unknown scalar that waits stays behind, as it does in the reference.
        for byte in scalar { list.append(byteFallback[Int(byte)], end: position) }
      } else {
        unknown.extend(to: position, &list)
      }
    }
    unknown.finish(&list)
  }

  /// Unknown symbols that have not become a token yet.
  private struct UnknownRun {
    private let id: Int32?
    private let fuses: Bool
    private var end: Int?

    init(_ model: BytePairEncoding) {
      id = model.unknownID
      fuses = model.fusesUnknown
    }

    mutating func extend(to end: Int, _ list: inout SymbolList) {
      if !fuses { finish(&list) }
      self.end = end
    }

    mutating func finish(_ list: inout SymbolList) {
      if let end, let id { list.append(id, end: end) }
      end = nil
    }
  }
}

/// The symbols of a word as they are found.
private struct SymbolList {
  private let symbols: UnsafeMutablePointer<MergeSymbol>
  private(set) var count = 0

  init(_ symbols: UnsafeMutablePointer<MergeSymbol>) {
    self.symbols = symbols
  }

  @inline(__always)
  mutating func append(_ id: Int32, end: Int) {
    (symbols + count).initialize(to: MergeSymbol(id: id, end: Int32(truncatingIfNeeded: end)))
    count += 1
  }
}
