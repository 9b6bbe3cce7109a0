/// A tokenizer.json, read stage by stage: normaliser, pre-tokenizer, model, post-processor, and the
/// tokens added to the model's.
///
/// Every stage names its type and its settings; what is not known here is refused by name.
struct TokenizerDefinition {
  let tokenizer: Tokenizer

  init(
    _ json: JSONValue, settings: TokenizerSettings, controlTokens: Tokenizer.ControlTokens
  ) throws(TokenizationError) {
    let normalizers = try Self.normalizers(json, settings)
    let preTokenizers = try Self.preTokenizers(json)
    let stage = try Self.modelStage(json)
    let tokens = try Self.modelTokens(stage)
    let added = try Self.addedTokens(json, tokens)
    let control = added.filter(\.isControl).map(\.id)
    let model = try Self.model(
      stage, tokens, hidden: controlTokens == .areText ? Set(control) : [],
      readsBytes: preTokenizers.readsBytes, normalizers: normalizers)

    let template = try Self.pairTemplate(json)
    let idBound = added.reduce(tokens.idBound) { max($0, $1.id + 1) }
    guard template.controlIDs.allSatisfy({ 0..<idBound ~= $0 }) else {
      throw .malformed("post_processor names an id outside the vocabulary")
    }
    func id(_ token: String) -> Int32? {
      added.first { $0.content.elementsEqual(token.utf8) }?.id ?? tokens.id(token.utf8)
    }
    var paddingID = id("[PAD]") ?? id("<pad>")
    if let padding = try settings.token("pad_token") {
      paddingID = id(padding)
      guard paddingID != nil else {
        throw .malformed("pad_token of tokenizer_config.json is not in the vocabulary")
      }
    }
    let normalized = added.filter(\.isNormalized)
    let finder = try Self.finder(normalized, normalizers, controlTokens)
    tokenizer = Tokenizer(
      pipeline: TokenPipeline(
        model: model.model,
        isBert: Self.isBert(model.model, normalizers, preTokenizers.steps) && finder.isEmpty,
        normalizers: normalizers, preTokenizers: preTokenizers.steps, addedTokens: finder),
      addedTokens: added, controlTokens: controlTokens, pairTemplate: template,
      idBound: idBound, paddingID: paddingID, unknownID: model.unknownID)
  }

  private static func isBert(
    _ model: TokenPipeline.Model, _ normalizers: [Normalizer], _ preTokenizers: [PreTokenizer]
  ) -> Bool {
    guard case .wordPiece = model, normalizers.count == 1, case .bert = normalizers[0],
      preTokenizers.count == 1, case .bert = preTokenizers[0]
    else { return false }
    return true
  }

  /// Finds tokens in normalised text by what the normalisers make of their contents.
  private static func finder(
    _ tokens: [AddedToken], _ normalizers: [Normalizer], _ controlTokens: Tokenizer.ControlTokens
  ) throws(TokenizationError) -> AddedTokens {
    let contents = tokens.map { token in
      token.content.withUnsafeBufferPointer { content in
        normalizers.reduce(NormalizedText(content, 0..<content.count)) { $1.normalized($0) }
      }.bytes
    }
    guard Set(contents).count == contents.count, !contents.contains([]) else {
      throw .malformed("added_tokens that are nothing or the same when they are normalised")
    }
    return AddedTokens(tokens, contents: contents, controlTokens)
  }

  private static func addedTokens(
    _ json: JSONValue, _ tokens: ModelTokens
  ) throws(TokenizationError) -> [AddedToken] {
    let items = json["added_tokens"]?.array ?? []
    guard items.count <= TokenizerLimits.vocabularyTokensMax else {
      throw .unsupported("more than \(TokenizerLimits.vocabularyTokensMax) added_tokens")
    }
    var added: [AddedToken] = []
    var nextID = Int32(tokens.vocabulary.count)
    var contents: Set<ArraySlice<UInt8>> = []
    for value in items {
      guard let content = value["content"]?.bytes, !content.isEmpty,
        let id = value["id"]?.integer
      else { throw .malformed("added_tokens has an entry without content and id") }
      let name = "added_tokens: \"\(String(decoding: content, as: UTF8.self))\""
      guard content.count <= TokenizerLimits.tokenBytesMax else {
        throw .unsupported("\(name) of more than \(TokenizerLimits.tokenBytesMax) bytes")
      }
      guard contents.insert(content).inserted else { throw .malformed("\(name) is there twice") }
      // The reference numbers tokens that the model has not itself, whatever the file says.
      let own = tokens.id(content)
      let number = own ?? nextID
      if own == nil { nextID += 1 }
      guard number == id else {
        throw TokenizationError(
          code: .unsupported,
          message: "\(name) with id \(id) would be \(number) to the reference")
      }
      func flag(_ key: String) throws(TokenizationError) -> Bool {
        guard let flag = value[key] else { return false }
        guard let flag = flag.bool else {
          throw .malformed("\(name): \(key) is neither true nor false")
        }
        return flag
      }
      added.append(
        AddedToken(
          content: Array(content), id: id,
          isControl: AddedToken.isControl(Array(content), isSpecial: try flag("special")),
          stripsLeft: try flag("lstrip"), stripsRight: try flag("rstrip"),
          isSingleWord: try flag("single_word"), isNormalized: try flag("normalized")))
    }
    return added
  }
}
