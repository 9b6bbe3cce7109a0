import Tokenization

/// The tokens of some pairs, one after the other without padding.
struct TokenBatch: Sendable {
  /// As many token types as a token's byte can name.
  static let tokenTypesMax = 256

  private(set) var tokens = EncodedPair()
  /// Where each pair starts in ``tokens``, and at last where the last one ends.
  private(set) var bounds: [Int] = [0]

  var tokenCount: Int { tokens.ids.count }
  var pairCount: Int { bounds.count - 1 }

  /// Adds the pair whose tokens the closure appends.
  mutating func appendPair(_ append: (inout EncodedPair) -> Void) {
    append(&tokens)
    bounds.append(tokens.ids.count)
  }

  /// Keeps the memory for the next batch.
  mutating func removeAll() {
    tokens.ids.removeAll(keepingCapacity: true)
    tokens.tokenTypes.removeAll(keepingCapacity: true)
    bounds.removeSubrange(1...)
  }

  /// Moves one row of each pair to the front of a matrix [tokens][width], in place: a pair's number
  /// is never above the number of any of its rows.
  func moveRowsToFront(
    of matrix: UnsafeMutablePointer<Float>, width: Int, row: (_ pair: Int) -> Int
  ) {
    for pair in 0..<pairCount where row(pair) != pair {
      (matrix + pair * width).update(from: matrix + row(pair) * width, count: width)
    }
  }
}
