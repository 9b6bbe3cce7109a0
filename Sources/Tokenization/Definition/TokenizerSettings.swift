/// What tokenizer_config.json says about a tokenizer.
struct TokenizerSettings {
  private let json: JSONValue
  let lowercase: Bool?
  let stripsAccents: Bool?
  let splitsChineseCharacters: Bool?

  init(_ json: JSONValue) throws(TokenizationError) {
    guard json.members != nil else {
      throw TokenizationError(code: .malformed, message: "an object was expected")
    }
    self.json = json
    lowercase = try Self.flag("do_lower_case", json)
    stripsAccents = try Self.flag("strip_accents", json)
    splitsChineseCharacters = try Self.flag("tokenize_chinese_chars", json)
  }

  /// For a folder without tokenizer.json, where the class decides what vocab.txt means.
  func wordPieceOptions() throws(TokenizationError) -> WordPieceOptions {
    if let name = json["tokenizer_class"]?.string {
      let base = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
      guard Self.wordPieceClasses.contains(base) else {
        throw unsupported("tokenizer_class \"\(name)\" with a vocab.txt")
      }
    }
    if try Self.flag("do_basic_tokenize", json) == false {
      throw unsupported("do_basic_tokenize false")
    }
    if let words = json["never_split"]?.array, !words.isEmpty {
      throw unsupported("never_split")
    }
    var options = WordPieceOptions()
    options.lowercase = lowercase ?? options.lowercase
    options.stripsAccents = stripsAccents
    options.splitsChineseCharacters = splitsChineseCharacters ?? options.splitsChineseCharacters
    options.unknownToken = try token("unk_token") ?? options.unknownToken
    options.classifierToken = try token("cls_token") ?? options.classifierToken
    options.separatorToken = try token("sep_token") ?? options.separatorToken
    options.paddingToken = try token("pad_token") ?? options.paddingToken
    options.maskToken = try token("mask_token") ?? options.maskToken
    return options
  }

  /// A token is a string, or an object with its content.
  func token(_ key: String) throws(TokenizationError) -> String? {
    guard let value = json[key] else { return nil }
    guard let token = value.string ?? value["content"]?.string else {
      throw TokenizationError(code: .malformed, message: "\(key) is not a token")
    }
    return token
  }

  /// The classes whose tokenization is BERT's.
  private static let wordPieceClasses: Set<String> = [
    "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer",
    "DPRQuestionEncoderTokenizer", "DPRContextEncoderTokenizer", "DPRReaderTokenizer",
  ]

  private static func flag(
    _ key: String, _ json: JSONValue
  ) throws(TokenizationError) -> Bool? {
    guard let value = json[key] else { return nil }
    guard let flag = value.bool else {
      throw TokenizationError(code: .malformed, message: "\(key) is neither true nor false")
    }
    return flag
  }

  private func unsupported(_ what: String) -> TokenizationError {
    TokenizationError(code: .unsupported, message: "\(what) is not supported")
  }
}
