/// BERT's tokenizer: words cut by ``BertWordScanner``, each the longest pieces that the vocabulary
/// has, from its beginning on.
struct WordPiece: Sendable {
  let vocabulary: Vocabulary
  let normalization: BertNormalization
  /// What a word becomes that has no pieces.
  let unknownID: Int32
  /// Longer words are unknown.
  let wordScalarsMax: Int
  private let asciiActions: ASCIIActions

  /// - Throws: ``TokenizationError`` when longer words are to be cut than is supported.
  init(
    vocabulary: Vocabulary, normalization: BertNormalization, unknownID: Int32,
    wordScalarsMax: Int
  ) throws(TokenizationError) {
    guard 1...TokenizerLimits.wordCharactersMax ~= wordScalarsMax else {
      throw TokenizationError(
        code: .unsupported,
        message: "words of up to \(wordScalarsMax) characters are to be cut into pieces; "
          + "1 to \(TokenizerLimits.wordCharactersMax) are supported")
    }
    self.vocabulary = vocabulary
    self.normalization = normalization
    self.unknownID = unknownID
    self.wordScalarsMax = wordScalarsMax
    asciiActions = ASCIIActions(normalization)
  }

  /// Appends the tokens of a part of a text, which is taken for a text of its own.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into sink: inout some TokenSink
  ) {
    let room = 4 * wordScalarsMax
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: room) { hashes in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: room) { pieces in
        guard let hashes = hashes.baseAddress, let pieces = pieces.baseAddress else { return }
        withUnsafeMutablePointer(to: &sink) { sink in
          var cutter = PieceCutter(self, hashes: hashes, pieces: pieces, sink: sink)
          scan(text, range, into: &cutter)
        }
      }
    }
  }

  /// Appends the tokens of a word that other stages than BERT's have cut.
  func encode(
    _ word: UnsafeBufferPointer<UInt8>, _ ends: SourceEnds, into sink: inout some TokenSink
  ) {
    var scalarCount = 0
    for byte in word where byte & 0xC0 != 0x80 { scalarCount += 1 }
    let room = scalarCount > wordScalarsMax ? 1 : word.count
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: room) { hashes in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: room) { pieces in
        guard let hashes = hashes.baseAddress, let pieces = pieces.baseAddress else { return }
        withUnsafeMutablePointer(to: &sink) { sink in
          var cutter = PieceCutter(self, hashes: hashes, pieces: pieces, sink: sink)
          cutter.append(
            ScannedWord(
              bytes: word, ends: ends, scalarCount: scalarCount, end: ends[word.count - 1]))
        }
      }
    }
  }

  /// Passes the words of a part of a text to a sink.
  func scan(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into sink: inout some WordSink
  ) {
    let room = 4 * wordScalarsMax
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { bytes in
      withUnsafeTemporaryAllocation(of: Int.self, capacity: room) { ends in
        guard let bytes = bytes.baseAddress, let ends = ends.baseAddress else { return }
        withUnsafeMutablePointer(to: &sink) { sink in
          var scanner = BertWordScanner(
            normalization: normalization, asciiActions: asciiActions,
            scalarsMax: wordScalarsMax, bytes: bytes, ends: ends, sink: sink)
          scanner.scan(text, range)
        }
      }
    }
  }
}

private struct PieceCutter<Sink: TokenSink>: WordSink {
  private let model: WordPiece
  /// At a byte: the hash of the piece up to it.
  private let hashes: UnsafeMutablePointer<UInt64>
  /// The pieces of a word at their last bytes, held back until all of it has some.
  private let pieces: UnsafeMutablePointer<Int32>
  private let sink: UnsafeMutablePointer<Sink>

  init(
    _ model: WordPiece, hashes: UnsafeMutablePointer<UInt64>,
    pieces: UnsafeMutablePointer<Int32>, sink: UnsafeMutablePointer<Sink>
  ) {
    self.model = model
    self.hashes = hashes
    self.pieces = pieces
    self.sink = sink
  }

  var isFull: Bool { sink.pointee.isFull }

  mutating func append(_ word: ScannedWord) {
    guard word.scalarCount <= model.wordScalarsMax else {
      return sink.pointee.append(model.unknownID, end: word.end)
    }
    var start = 0
    while start < word.bytes.count {
      guard let piece = longestPiece(of: word.bytes, from: start) else {
        return sink.pointee.append(model.unknownID, end: word.end)
      }
      // A piece is noted at its last byte, and the bytes before it say that they end none.
      for index in start..<(piece.end - 1) { pieces[index] = -1 }
      pieces[piece.end - 1] = piece.id
      start = piece.end
    }
    for index in 0..<word.bytes.count where pieces[index] >= 0 {
      sink.pointee.append(pieces[index], end: word.ends[index])
    }
  }

  @inline(__always)
  private func longestPiece(
    of word: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> (id: Int32, end: Int)? {
    let continues = start > 0
    var end = min(word.count, start + model.vocabulary.tokenBytesMax)
    var hash = Vocabulary.seed(continues: continues)
    for index in start..<end {
      hash = Vocabulary.hash(hash, word[index])
      hashes[index] = hash
    }
    while end > start {
      if end == word.count || word[end] & 0xC0 != 0x80 {
        let piece = UnsafeBufferPointer(rebasing: word[start..<end])
        if let id = model.vocabulary.id(piece, hash: hashes[end - 1], continues: continues) {
          return (id, end)
        }
      }
      end -= 1
    }
    return nil
  }
}
