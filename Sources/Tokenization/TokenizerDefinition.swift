/// A tokenizer.json, read stage by stage: normaliser, pre-tokenizer, model, post-processor.
///
/// Every stage names its type and its settings; what is not known here is refused by name.
struct TokenizerDefinition {
  let tokenizer: Tokenizer

  init(
    _ json: JSONValue, settings: TokenizerSettings, controlTokens: Tokenizer.ControlTokens
  ) throws(TokenizationError) {
    let model = try Stage(json, "model", type: "WordPiece")
    try model.allowOnly(
      "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word")
    let preTokenizer = try Stage(json, "pre_tokenizer", type: "BertPreTokenizer")
    try preTokenizer.allowOnly()
    let prefix = try model.string("continuing_subword_prefix")
    let vocabulary = try Self.vocabulary(model, prefix: Array(prefix.utf8))
    let added = try Self.addedTokens(json, vocabulary, controlTokens)
    let unknownToken = try model.string("unk_token")
    guard let unknownID = vocabulary.id(Array(unknownToken.utf8)) else {
      throw malformed("model.unk_token \"\(unknownToken)\" is not in model.vocab")
    }
    let wordPiece = try WordPiece(
      vocabulary: vocabulary, normalization: try Self.normalization(json, settings),
      unknownID: unknownID, wordScalarsMax: try model.integer("max_input_chars_per_word"))
    let template = try Self.template(json)
    guard template.controlIDs.allSatisfy({ 0..<vocabulary.idBound ~= $0 }) else {
      throw malformed("post_processor names an id outside the vocabulary")
    }
    let padding = Array((try settings.token("pad_token") ?? "[PAD]").utf8)
    guard let paddingID = vocabulary.id(padding) else {
      throw malformed("the padding token is not in model.vocab")
    }
    tokenizer = Tokenizer(
      model: .wordPiece(wordPiece), pairTemplate: template,
      recognisedTokens: controlTokens == .recognised ? added : [], paddingID: paddingID,
      unknownID: unknownID)
  }

  private static func vocabulary(
    _ model: Stage, prefix: [UInt8]
  ) throws(TokenizationError) -> Vocabulary {
    guard let members = model.json["vocab"]?.members else {
      throw malformed("model.vocab is not an object of tokens")
    }
    var bytes: [UInt8] = []
    var tokens: [Vocabulary.Token] = []
    for member in members {
      guard let id = member.value.integer, id >= 0 else {
        throw malformed(
          "model.vocab: \"\(String(decoding: member.key, as: UTF8.self))\" has no id")
      }
      let start = bytes.count
      bytes.append(contentsOf: member.key)
      tokens.append(Vocabulary.Token(range: start..<bytes.count, id: id))
    }
    return try Vocabulary(bytes: bytes, tokens: tokens, continuationPrefix: prefix)
  }

  private static func normalization(
    _ json: JSONValue, _ settings: TokenizerSettings
  ) throws(TokenizationError) -> BertNormalization {
    let stage = try Stage(json, "normalizer", type: "BertNormalizer")
    try stage.allowOnly("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    let lowercase = try stage.bool("lowercase")
    let strips = stage.json["strip_accents"] == nil ? nil : try stage.bool("strip_accents")
    let splits = try stage.bool("handle_chinese_chars")
    // The reference lets tokenizer_config.json change the normaliser, in some of its versions.
    for (key, here, there) in [
      ("do_lower_case", lowercase, settings.lowercase),
      ("strip_accents", strips ?? lowercase, settings.stripsAccents),
      ("tokenize_chinese_chars", splits, settings.splitsChineseCharacters),
    ] where there != nil && there != here {
      throw TokenizationError(
        code: .unsupported,
        message: "normalizer contradicts \(key) of tokenizer_config.json: make them agree")
    }
    return BertNormalization(
      cleansText: try stage.bool("clean_text"), splitsChineseCharacters: splits,
      stripsAccents: strips ?? lowercase, lowercases: lowercase)
  }

  /// The control tokens; others that were added to the vocabulary would be cut out of every text.
  private static func addedTokens(
    _ json: JSONValue, _ vocabulary: Vocabulary, _ controlTokens: Tokenizer.ControlTokens
  ) throws(TokenizationError) -> [Tokenizer.ControlToken] {
    var tokens: [Tokenizer.ControlToken] = []
    for value in json["added_tokens"]?.array ?? [] {
      guard case .string(let content) = value["content"], !content.isEmpty,
        let id = value["id"]?.integer
      else { throw malformed("added_tokens has an entry without content and id") }
      let name = "added_tokens: \"\(String(decoding: content, as: UTF8.self))\""
      guard vocabulary.id(content) == id else {
        throw TokenizationError(
          code: .unsupported, message: "\(name) with id \(id) is not that token of model.vocab")
      }
      guard value["special"]?.bool == true else {
        throw TokenizationError(
          code: .unsupported,
          message: "\(name) is no control token (special), which is not supported")
      }
      if controlTokens == .recognised {
        for key in ["single_word", "lstrip", "rstrip", "normalized"]
        where value[key]?.bool == true {
          throw TokenizationError(
            code: .unsupported,
            message: "\(name) has \(key), which is not supported where control tokens are "
              + "recognised")
        }
      }
      tokens.append(Tokenizer.ControlToken(content: content, id: id))
    }
    return tokens
  }

  private static func template(_ json: JSONValue) throws(TokenizationError) -> PairTemplate {
    let stage = try Stage(json, "post_processor", type: "TemplateProcessing", "BertProcessing")
    if stage.type == "BertProcessing" {
      try stage.allowOnly("sep", "cls")
      guard let cls = stage.json["cls"]?.array?.last?.integer,
        let sep = stage.json["sep"]?.array?.last?.integer
      else { throw malformed("post_processor: cls and sep are pairs of token and id") }
      return .bert(cls: cls, sep: sep)
    }
    try stage.allowOnly("single", "pair", "special_tokens")
    guard let items = stage.json["pair"]?.array else {
      throw malformed("post_processor.pair is not a list")
    }
    var pieces: [PairTemplate.Piece] = []
    for item in items { pieces.append(contentsOf: try Self.pieces(item, stage)) }
    let sides = pieces.compactMap { piece -> Bool? in
      switch piece {
      case .control: nil
      case .query: true
      case .document: false
      }
    }
    guard sides == [true, false] else {
      throw TokenizationError(
        code: .unsupported,
        message: "post_processor.pair has to hold the sequences A and B once each, in this order")
    }
    return PairTemplate(pieces: pieces)
  }

  private static func pieces(
    _ item: JSONValue, _ stage: Stage
  ) throws(TokenizationError) -> [PairTemplate.Piece] {
    if let sequence = item["Sequence"], let type = Self.tokenType(sequence) {
      switch sequence["id"]?.string {
      case "A": return [.query(type: type)]
      case "B": return [.document(type: type)]
      default: break
      }
    }
    if let token = item["SpecialToken"], let type = Self.tokenType(token),
      let name = token["id"]?.string,
      let ids = stage.json["special_tokens"]?[name]?["ids"]?.array
    {
      let pieces = ids.compactMap(\.integer).map { PairTemplate.Piece.control(id: $0, type: type) }
      if pieces.count == ids.count { return pieces }
    }
    throw malformed("post_processor.pair has an entry that is neither a sequence nor a token")
  }

  private static func tokenType(_ item: JSONValue) -> UInt8? {
    item["type_id"]?.integer.flatMap { UInt8(exactly: $0) }
  }
}

/// One stage of a tokenizer.json.
private struct Stage {
  let name: String
  let type: String
  let json: JSONValue

  init(_ json: JSONValue, _ name: String, type supported: String...) throws(TokenizationError) {
    let wanted = supported.joined(separator: " or ")
    guard let stage = json[name] else {
      throw TokenizationError(
        code: .unsupported, message: "\(name) is absent; \(wanted) is supported")
    }
    guard let type = stage["type"]?.string else { throw malformed("\(name) has no type") }
    guard supported.contains(type) else {
      throw TokenizationError(
        code: .unsupported,
        message: "\(name) \"\(type)\" is not supported; \(wanted) is supported")
    }
    self.name = name
    self.type = type
    self.json = stage
  }

  func allowOnly(_ keys: String...) throws(TokenizationError) {
    for member in json.members ?? [] {
      let key = String(decoding: member.key, as: UTF8.self)
      guard key == "type" || keys.contains(key) else {
        throw TokenizationError(code: .unsupported, message: "\(name).\(key) is not supported")
      }
    }
  }

  func string(_ key: String) throws(TokenizationError) -> String {
    guard let value = json[key]?.string else { throw malformed("\(name).\(key) is no string") }
    return value
  }

  func bool(_ key: String) throws(TokenizationError) -> Bool {
    guard let value = json[key]?.bool else {
      throw malformed("\(name).\(key) is neither true nor false")
    }
    return value
  }

  func integer(_ key: String) throws(TokenizationError) -> Int {
    guard let value = json[key]?.integer else { throw malformed("\(name).\(key) is no number") }
    return Int(value)
  }
}

private func malformed(_ message: String) -> TokenizationError {
  TokenizationError(code: .malformed, message: message)
}
