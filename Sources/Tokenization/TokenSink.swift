/// What becomes of tokens as they are found.
protocol TokenSink {
  /// Nothing more is wanted.
  var isFull: Bool { get }

  /// - Parameter end: where in the source, in bytes, what made the token ends.
  mutating func append(_ id: Int32, end: Int)
}

struct TokenList: TokenSink {
  var ids: [Int32]
  var isFull: Bool { false }

  @inline(__always)
  mutating func append(_ id: Int32, end: Int) { ids.append(id) }
}

struct TokenCount: TokenSink {
  private(set) var count = 0
  let countMax: Int

  var isFull: Bool { count >= countMax }

  @inline(__always)
  mutating func append(_ id: Int32, end: Int) { count += 1 }
}

/// Where each of the first tokens ends in the source.
struct TokenEnds: TokenSink {
  private(set) var ends: [Int] = []
  let countMax: Int

  /// One more than is kept, which tells whether the text goes on.
  var isFull: Bool { ends.count > countMax }

  @inline(__always)
  mutating func append(_ id: Int32, end: Int) { ends.append(end) }
}
