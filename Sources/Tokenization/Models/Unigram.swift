/// SentencePiece's Unigram: of all ways to cut a piece of text into tokens the one whose scores sum
/// up highest, found by Viterbi's algorithm in double precision.
struct Unigram: Sendable {
  /// What an unknown scalar costs more than the worst token.
  private static let unknownPenalty = 10.0

  /// Tokens by their bytes, with their ids.
  private let trie: ByteTrie
  /// By id.
  private let scores: [Double]
  let unknownID: Int32
  private let unknownScore: Double
  /// Each byte's token "<0x00>", which the bytes of unknown scalars become; negative where there is
  /// none. Empty where the model does not ask for it.
  private let byteFallback: [Int32]

  /// - Parameters:
  ///   - trie: the tokens that text may become.
  ///   - scores: of all tokens, by id.
  init(trie: ByteTrie, scores: [Double], unknownID: Int32, byteFallback: [Int32]) {
    self.trie = trie
    self.scores = scores
    self.unknownID = unknownID
    self.byteFallback = byteFallback
    unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
  }

  func id(ofToken token: [UInt8]) -> Int32? {
    token.withUnsafeBufferPointer { trie.value($0) }
  }

  /// Best ways to a place in the piece.
  private struct Node {
    var score = 0.0
    /// Where the last token begins; negative where no way leads here.
    var start: Int32 = -1
    var id: Int32 = 0
  }

  /// Appends the tokens of a piece of text.
  func encode(
    _ piece: UnsafeBufferPointer<UInt8>, _ ends: SourceEnds, into sink: inout some TokenSink
  ) {
    withUnsafeTemporaryAllocation(of: Node.self, capacity: piece.count + 1) { nodes in
      nodes.initialize(repeating: Node())
      findBestWay(piece, nodes)
      // The way is known from its end; turned round it is read from its beginning.
      var end = piece.count
      var following: Int32 = -1
      while end > 0 {
        let start = Int(nodes[end].start)
        nodes[end].start = following
        following = Int32(truncatingIfNeeded: end)
        end = start
      }
      append(piece, nodes, first: following, ends, &sink)
    }
  }

  private func findBestWay(
    _ piece: UnsafeBufferPointer<UInt8>, _ nodes: UnsafeMutableBufferPointer<Node>
  ) {
    scores.withUnsafeBufferPointer { scores in
      var start = 0
      while start < piece.count {
        let scoreSoFar = nodes[start].score
        let scalarEnd = start + UTF8Scalars.length(startingWith: piece[start])
        var hasScalar = false
        func reach(_ end: Int, _ id: Int32, _ score: Double) {
          if nodes[end].start < 0 || score > nodes[end].score {
            nodes[end] = Node(score: score, start: Int32(truncatingIfNeeded: start), id: id)
          }
        }
        trie.forEachKey(in: piece, at: start) { end, id in
          reach(end, id, scores[Int(id)] + scoreSoFar)
          if end == scalarEnd { hasScalar = true }
        }
        if !hasScalar { reach(scalarEnd, unknownID, unknownScore + scoreSoFar) }
        start = scalarEnd
      }
    }
  }

  /// Unknown tokens in a row are one, or the tokens of their bytes.
  private func append(
    _ piece: UnsafeBufferPointer<UInt8>, _ nodes: UnsafeMutableBufferPointer<Node>, first: Int32,
    _ ends: SourceEnds, _ sink: inout some TokenSink
  ) {
    var start = 0
    var end = Int(first)
    while end > 0, !sink.isFull {
      let id = nodes[end].id
      var next = Int(nodes[end].start)
      guard id == unknownID else {
        sink.append(id, end: ends[end - 1])
        start = end
        end = next
        continue
      }
      while next > 0, nodes[next].id == unknownID {
        end = next
        next = Int(nodes[end].start)
      }
      let unknown = UnsafeBufferPointer(rebasing: piece[start..<end])
      if let whole = trie.value(unknown) {
        sink.append(whole, end: ends[end - 1])
      } else if !byteFallback.isEmpty, unknown.allSatisfy({ byteFallback[Int($0)] >= 0 }) {
        for index in start..<end {
          sink.append(byteFallback[Int(piece[index])], end: ends[index])
        }
      } else {
        sink.append(unknownID, end: ends[end - 1])
      }
      start = end
      end = next
    }
  }
}
