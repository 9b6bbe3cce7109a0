import Testing

@testable import EmbeddedEngine

@Suite struct PrefixCacheTests {
  private let model: EmbeddedModel
  private let tokenBytes: Int

  init() throws {
    model = try EmbeddedModel.load(folder: FamilyModel.qwen3Tied.folder, name: "m")
    tokenBytes = model.network.prefixBytesPerToken
  }

  /// Returns whether the prefix had to be computed.
  private func ask(_ cache: PrefixCache, for tokens: [Int32], expected count: Int) -> Bool {
    var isComputed = false
    let prefix = cache.prefix(ofPairsBeginningWith: tokens, model: model) {
      isComputed = true
      return FloatBuffer(count: $0)
    }
    #expect(prefix?.tokens == Array(tokens.prefix(count)))
    return isComputed
  }

  @Test func aPrefixIsComputedOnce() {
    let cache = PrefixCache(bytesMax: 100 * tokenBytes)
    #expect(ask(cache, for: [1, 2, 3], expected: 3))
    #expect(!ask(cache, for: [1, 2, 3], expected: 3))
    #expect(ask(cache, for: [1, 2], expected: 2))
    #expect(cache.byteCount == 5 * tokenBytes)
  }

  @Test func theOneNotAskedForTheLongestGoes() {
    let cache = PrefixCache(bytesMax: 8 * tokenBytes)
    #expect(ask(cache, for: [1, 2, 3], expected: 3))
    #expect(ask(cache, for: [4, 5, 6], expected: 3))
    #expect(!ask(cache, for: [1, 2, 3], expected: 3))
    #expect(ask(cache, for: [7, 8, 9], expected: 3))
    #expect(cache.byteCount == 6 * tokenBytes)
    #expect(!ask(cache, for: [1, 2, 3], expected: 3))
    #expect(ask(cache, for: [4, 5, 6], expected: 3))
  }

  @Test func onePrefixTakesNoMoreThanTheLimit() {
    let cache = PrefixCache(bytesMax: 2 * tokenBytes)
    #expect(ask(cache, for: [1, 2, 3], expected: 2))
    #expect(cache.byteCount == 2 * tokenBytes)
    let none = PrefixCache(bytesMax: tokenBytes - 1)
    #expect(
      none.prefix(ofPairsBeginningWith: [1], model: model) { FloatBuffer(count: $0) } == nil)
  }
}
