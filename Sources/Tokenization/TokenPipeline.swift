/// The stages between a text and its tokens.
struct TokenPipeline: Sendable {
  enum Model: Sendable {
    case wordPiece(WordPiece)
    case unigram(Unigram)
    case bytePairs(BytePairEncoding)
  }

  let model: Model
  /// All of BERT's stages are there, which `WordPiece` goes through in one pass.
  let isBert: Bool
  let normalizers: [Normalizer]
  let preTokenizers: [PreTokenizer]
  /// Found in the normalised text.
  let addedTokens: AddedTokens

  /// Appends the tokens of a part of a text between added tokens.
  func encode(
    _ source: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into sink: inout some TokenSink
  ) {
    guard !range.isEmpty else { return }
    if isBert, case .wordPiece(let model) = model {
      return model.encode(source, range, into: &sink)
    }
    let text = normalizers.reduce(NormalizedText(source, range)) { $1.normalized($0) }
    guard !addedTokens.isEmpty else { return encode(text, into: &sink) }
    var parts: [AddedTokens.Part] = []
    text.bytes.withUnsafeBufferPointer { bytes in
      addedTokens.forEachPart(of: bytes, 0..<bytes.count) { part in
        parts.append(part)
        return true
      }
    }
    for part in parts where !sink.isFull {
      switch part {
      case .token(let id, let end): sink.append(id, end: text.end(before: end))
      case .text(let range):
        let isWhole = range == 0..<text.bytes.count
        encode(isWhole ? text : NormalizedText(text, range), into: &sink)
      }
    }
  }

  private func encode(_ text: NormalizedText, into sink: inout some TokenSink) {
    var pieces = TextPieces(text)
    for step in preTokenizers { step.cut(&pieces) }
    pieces.text.bytes.withUnsafeBufferPointer { bytes in
      pieces.text.ends.withUnsafeBufferPointer { ends in
        for piece in pieces.pieces where !sink.isFull {
          let word = UnsafeBufferPointer(rebasing: bytes[piece])
          let wordEnds = SourceEnds(
            ends: ends.baseAddress.flatMap { ends.isEmpty ? nil : $0 + piece.lowerBound },
            start: pieces.text.start + piece.lowerBound)
          switch model {
          case .wordPiece(let model): model.encode(word, wordEnds, into: &sink)
          case .unigram(let model): model.encode(word, wordEnds, into: &sink)
          case .bytePairs(let model): model.encode(word, wordEnds, into: &sink)
          }
        }
      }
    }
  }
}

extension TokenPipeline.Model {
  func id(ofToken token: [UInt8]) -> Int32? {
    switch self {
    case .wordPiece(let model): return model.vocabulary.id(token)
    case .unigram(let model): return model.id(ofToken: token)
    case .bytePairs(let model): return model.id(ofToken: token)
    }
  }
}
