import Tokenization

/// The tokens of some pairs, one after the other without padding.
struct TokenBatch: Sendable {
  /// As many token types as a token's byte can name.
  static let tokenTypesMax = 256

  /// Those that are computed, of each pair what it does not share.
  private(set) var tokens = EncodedPair()
  /// Where each pair starts in ``tokens``, and at last where the last one ends.
  private(set) var bounds: [Int] = [0]
  /// Tokens of the longest pair, those that it shares included.
  private(set) var longestPair = 0
  private var shared: [(prefix: SharedPrefix, count: Int)?] = []

  var tokenCount: Int { tokens.ids.count }
  var pairCount: Int { bounds.count - 1 }

  /// Adds the pair whose tokens the closure appends.
  ///
  /// - Parameters:
  ///   - prefix: what the pair's first tokens may be taken from, as far as they are the same.
  mutating func appendPair(
    after prefix: SharedPrefix? = nil, _ append: (inout EncodedPair) -> Void
  ) {
    let start = tokens.ids.count
    append(&tokens)
    longestPair = max(longestPair, tokens.ids.count - start)
    let sharedCount = prefix?.count(sharedWith: tokens.ids[start...]) ?? 0
    tokens.ids.removeSubrange(start..<start + sharedCount)
    tokens.tokenTypes.removeSubrange(start..<start + sharedCount)
    bounds.append(tokens.ids.count)
    shared.append(prefix.flatMap { sharedCount > 0 ? ($0, sharedCount) : nil })
  }

  /// How many of the pair's tokens are of type 0: the query's segment, where that is what types
  /// tell.
  func queryCount(ofPair pair: Int) -> Int {
    tokens.tokenTypes[bounds[pair]..<bounds[pair + 1]].firstIndex { $0 != 0 }.map {
      $0 - bounds[pair]
    } ?? bounds[pair + 1] - bounds[pair]
  }

  /// The pair's tokens, those that it shares included.
  func tokenCount(ofPair pair: Int) -> Int {
    sharedCount(ofPair: pair) + bounds[pair + 1] - bounds[pair]
  }

  /// How many of the pair's tokens stand before those in ``tokens``.
  func sharedCount(ofPair pair: Int) -> Int { shared[pair]?.count ?? 0 }

  /// Where those tokens' keys and values are.
  func prefix(ofPair pair: Int) -> SharedPrefix? { shared[pair]?.prefix }

  /// Keeps the memory for the next batch.
  mutating func removeAll() {
    tokens.ids.removeAll(keepingCapacity: true)
    tokens.tokenTypes.removeAll(keepingCapacity: true)
    bounds.removeSubrange(1...)
    longestPair = 0
    shared.removeAll(keepingCapacity: true)
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
