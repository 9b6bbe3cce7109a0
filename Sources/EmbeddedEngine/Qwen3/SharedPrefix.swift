/// The keys and values of tokens that several pairs begin with, computed once.
///
/// They are the same bits that each pair would compute for itself: in a decoder a token depends on
/// what stands before it alone.
struct SharedPrefix: Sendable {
  let tokens: [Int32]
  /// One a layer, [tokens][2K]: keys as attention reads them, then values.
  let layers: [FloatBuffer]

  /// How many of a pair's first tokens are to be had here. The last one of a pair never is: the
  /// score is read off it.
  func count(sharedWith ids: some BidirectionalCollection<Int32>) -> Int {
    zip(tokens, ids.dropLast()).prefix { $0 == $1 }.count
  }
}
