extension TokenizerDefinition {
  /// The model stage: what text may become, and what else is asked of its vocabulary.
  struct ModelStage {
    let model: TokenPipeline.Model
    let unknownID: Int32?
  }

  /// The tokens of a model as they are spelled, with their ids.
  struct ModelTokens {
    let entries: [(token: ArraySlice<UInt8>, id: Int32)]
    /// The largest id + 1.
    let idBound: Int32
    /// For the tokens that are looked up by their spelling: those of the merges, and of bytes.
    let vocabulary: Vocabulary

    func id(_ token: some Sequence<UInt8>) -> Int32? { vocabulary.id(Array(token)) }
  }

  static func modelStage(_ json: JSONValue) throws(TokenizationError) -> DefinitionStage {
    guard let model = json["model"] else { throw .malformed("model is absent") }
    let assumed =
      model["vocab"]?.array != nil
      ? "Unigram" : model["merges"] != nil ? "BPE" : "WordPiece"
    let stage = try DefinitionStage(model, "model", assuming: assumed)
    guard ["WordPiece", "Unigram", "BPE"].contains(stage.type) else { throw stage.isNotSupported }
    return stage
  }

  static func modelTokens(_ stage: DefinitionStage) throws(TokenizationError) -> ModelTokens {
    let entries =
      stage.type == "Unigram" ? try scoredTokens(stage) : try numberedTokens(stage)
    return ModelTokens(
      entries: entries, idBound: entries.reduce(0) { max($0, $1.id + 1) },
      vocabulary: try vocabulary(entries, prefix: []))
  }

  private static func numberedTokens(
    _ stage: DefinitionStage
  ) throws(TokenizationError) -> [(token: ArraySlice<UInt8>, id: Int32)] {
    guard let members = stage.json["vocab"]?.members else {
      throw .malformed("model.vocab is not an object of tokens")
    }
    var entries: [(token: ArraySlice<UInt8>, id: Int32)] = []
    entries.reserveCapacity(members.count)
    for member in members {
      guard let id = member.value.integer, 0..<TokenizerLimits.vocabularyTokensMax ~= Int(id)
      else {
        throw .malformed(
          "model.vocab: \"\(String(decoding: member.key, as: UTF8.self))\" has no id from 0 to "
            + "\(TokenizerLimits.vocabularyTokensMax - 1)")
      }
      entries.append((member.key, id))
    }
    return entries
  }

  private static func scoredTokens(
    _ stage: DefinitionStage
  ) throws(TokenizationError) -> [(token: ArraySlice<UInt8>, id: Int32)] {
    guard let items = stage.json["vocab"]?.array else {
      throw .malformed("model.vocab is not a list of tokens")
    }
    var entries: [(token: ArraySlice<UInt8>, id: Int32)] = []
    entries.reserveCapacity(items.count)
    for item in items {
      guard let pair = item.array, pair.count == 2, let token = pair[0].bytes, !token.isEmpty,
        let score = pair[1].number, score.isFinite
      else { throw .malformed("model.vocab: token \(entries.count) has no text or score") }
      entries.append((token, Int32(entries.count)))
    }
    return entries
  }

  static func vocabulary(
    _ entries: some Collection<(token: ArraySlice<UInt8>, id: Int32)>, prefix: [UInt8]
  ) throws(TokenizationError) -> Vocabulary {
    var bytes: [UInt8] = []
    var tokens: [Vocabulary.Token] = []
    tokens.reserveCapacity(entries.count)
    for entry in entries {
      let start = bytes.count
      bytes.append(contentsOf: entry.token)
      tokens.append(Vocabulary.Token(range: start..<bytes.count, id: entry.id))
    }
    return try Vocabulary(bytes: bytes, tokens: tokens, continuationPrefix: prefix)
  }

  /// - Parameter hidden: ids of tokens that text must not become.
  static func model(
    _ stage: DefinitionStage, _ tokens: ModelTokens, hidden: Set<Int32>, readsBytes: Bool,
    normalizers: [Normalizer]
  ) throws(TokenizationError) -> ModelStage {
    if readsBytes, stage.type != "BPE" {
      throw .unsupported("model \"\(stage.type)\" with the pre_tokenizer \"ByteLevel\"")
    }
    switch stage.type {
    case "Unigram": return try unigram(stage, tokens, hidden: hidden)
    case "BPE": return try bytePairs(stage, tokens, hidden: hidden, readsBytes: readsBytes)
    default: return try wordPiece(stage, tokens, hidden: hidden, normalizers: normalizers)
    }
  }

  private static func wordPiece(
    _ stage: DefinitionStage, _ tokens: ModelTokens, hidden: Set<Int32>, normalizers: [Normalizer]
  ) throws(TokenizationError) -> ModelStage {
    try stage.allowOnly(
      "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word")
    let prefix = try stage.string("continuing_subword_prefix")
    let unknownToken = try stage.string("unk_token")
    guard let unknownID = tokens.id(unknownToken.utf8) else {
      throw .malformed("model.unk_token \"\(unknownToken)\" is not in model.vocab")
    }
    var normalization = BertNormalization()
    if case .bert(let only)? = normalizers.first { normalization = only }
    let wordPiece = try WordPiece(
      vocabulary: try vocabulary(
        tokens.entries.filter { !hidden.contains($0.id) }, prefix: Array(prefix.utf8)),
      normalization: normalization, unknownID: unknownID,
      wordScalarsMax: try stage.integer("max_input_chars_per_word"))
    return ModelStage(model: .wordPiece(wordPiece), unknownID: unknownID)
  }

  private static func unigram(
    _ stage: DefinitionStage, _ tokens: ModelTokens, hidden: Set<Int32>
  ) throws(TokenizationError) -> ModelStage {
    try stage.allowOnly("vocab", "unk_id", "byte_fallback")
    guard stage.json["unk_id"] != nil else { throw .unsupported("model without an unk_id") }
    let unknownID = try stage.integer("unk_id")
    guard tokens.entries.indices.contains(unknownID) else {
      throw .malformed("model.unk_id \(unknownID) is not in model.vocab")
    }
    let scores = (stage.json["vocab"]?.array ?? []).compactMap { $0.array?.last?.number }
    let keys = tokens.entries.filter { !hidden.contains($0.id) }
      .map { (key: Array($0.token), value: $0.id) }
    let unigram = Unigram(
      trie: ByteTrie(keys), scores: scores, unknownID: Int32(unknownID),
      byteFallback: try byteFallback(stage, tokens))
    return ModelStage(model: .unigram(unigram), unknownID: Int32(unknownID))
  }

  static func byteFallback(
    _ stage: DefinitionStage, _ tokens: ModelTokens
  ) throws(TokenizationError) -> [Int32] {
    guard try stage.bool("byte_fallback", default: false) else { return [] }
    return (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return tokens.id("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8) ?? -1
    }
  }
}
