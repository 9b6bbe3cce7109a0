/// What a network computed of tokens that several pairs begin with.
///
/// It holds the same bits that each pair would compute for itself: a decoder's token depends on
/// what stands before it alone, and a query that is a segment of its own on nothing else.
struct SharedPrefix: Sendable {
  let tokens: [Int32]
  /// The network's own: a decoder's keys as attention reads them, then values, [tokens][2K] a
  /// layer; a segmented model's last states as its head reads them.
  let layers: [FloatBuffer]

  /// How many of a pair's first tokens are to be had here. The last one of a pair never is: the
  /// score is read off it.
  func count(sharedWith ids: some BidirectionalCollection<Int32>) -> Int {
    zip(tokens, ids.dropLast()).prefix { $0 == $1 }.count
  }
}
