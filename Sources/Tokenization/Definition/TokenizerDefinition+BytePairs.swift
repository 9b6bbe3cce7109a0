extension TokenizerDefinition {
  static func bytePairs(
    _ stage: DefinitionStage, _ tokens: ModelTokens, hidden: Set<Int32>, readsBytes: Bool
  ) throws(TokenizationError) -> ModelStage {
    try stage.allowOnly(
      "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix",
      "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges")
    if let dropout = stage.json["dropout"], dropout.number != 0 {
      throw .unsupported("model.dropout")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = stage.json[key], text.string != "" { throw .unsupported("model.\(key)") }
    }
    var unknownID: Int32?
    if stage.json["unk_token"] != nil {
      let token = try stage.string("unk_token")
      guard let id = tokens.id(token.utf8) else {
        throw .malformed("model.unk_token \"\(token)\" is not in model.vocab")
      }
      unknownID = id
    }
    let visible = tokens.entries.filter { !hidden.contains($0.id) }
    let vocabulary = try readsBytes ? byteVocabulary(visible) : vocabulary(visible, prefix: [])
    let fallback = try byteFallback(stage, tokens)
    let isWhole = (UInt8.min...UInt8.max).allSatisfy { vocabulary.id([$0]) != nil }
    if readsBytes, !fallback.isEmpty, !isWhole {
      throw .unsupported("model.byte_fallback with a vocabulary that lacks bytes")
    }
    let model = BytePairEncoding(
      vocabulary: vocabulary, merges: try merges(stage, tokens), readsBytes: readsBytes,
      unknownID: unknownID, fusesUnknown: try stage.bool("fuse_unk", default: false),
      byteFallback: readsBytes ? [] : fallback,
      ignoresMerges: try stage.bool("ignore_merges", default: false))
    return ModelStage(model: .bytePairs(model), unknownID: unknownID)
  }

  /// Tokens by the bytes that their characters stand for; others cannot come of a text.
  private static func byteVocabulary(
    _ entries: [(token: ArraySlice<UInt8>, id: Int32)]
  ) throws(TokenizationError) -> Vocabulary {
    var bytes: [UInt8] = []
    var tokens: [Vocabulary.Token] = []
    tokens.reserveCapacity(entries.count)
    for entry in entries {
      let start = bytes.count
      if entry.token.withUnsafeBufferPointer({ ByteAlphabet.append($0, to: &bytes) }) {
        tokens.append(Vocabulary.Token(range: start..<bytes.count, id: entry.id))
      }
    }
    return try Vocabulary(bytes: bytes, tokens: tokens, continuationPrefix: [])
  }

  private static func merges(
    _ stage: DefinitionStage, _ tokens: ModelTokens
  ) throws(TokenizationError) -> MergeTable {
    guard let items = stage.json["merges"]?.array else {
      throw .malformed("model.merges is not a list")
    }
    guard items.count <= TokenizerLimits.mergesMax else {
      throw .unsupported("model.merges of more than \(TokenizerLimits.mergesMax) pairs")
    }
    var table = MergeTable(countMax: items.count)
    var rank: UInt32 = 0
    var joined: [UInt8] = []
    for item in items {
      guard let (left, right) = try pair(item, rank: rank) else { continue }
      joined.removeAll(keepingCapacity: true)
      joined.append(contentsOf: left)
      joined.append(contentsOf: right)
      let id = joined.withUnsafeBufferPointer { tokens.vocabulary.id($0) }
      guard let id, let leftID = left.withUnsafeBufferPointer({ tokens.vocabulary.id($0) }),
        let rightID = right.withUnsafeBufferPointer({ tokens.vocabulary.id($0) })
      else {
        throw .malformed(
          "model.merges[\(rank)]: \"\(String(decoding: joined, as: UTF8.self))\" or a part of it "
            + "is not in model.vocab")
      }
      table.insert(leftID, rightID, MergeTable.Merge(rank: rank, id: id))
      rank += 1
    }
    return table
  }

  /// A pair is a list of two, or in older files a text with a blank between its parts.
  private static func pair(
    _ item: JSONValue, rank: UInt32
  ) throws(TokenizationError) -> (ArraySlice<UInt8>, ArraySlice<UInt8>)? {
    if let parts = item.array, parts.count == 2, let left = parts[0].bytes,
      let right = parts[1].bytes
    {
      return (left, right)
    }
    if let text = item.bytes {
      if text.starts(with: "#version".utf8) { return nil }
      let parts = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      if parts.count == 2 { return (parts[0], parts[1]) }
    }
    throw .malformed("model.merges[\(rank)] is not a pair of tokens")
  }
}
