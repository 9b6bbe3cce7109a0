import Foundation

extension Tokenizer {
  /// The tokenizer of a model in a Hugging Face folder: its tokenizer.json, or without one its
  /// vocab.txt with what tokenizer_config.json says.
  ///
  /// - Throws: ``TokenizationError``, naming the file and the key, for what cannot be read and for
  ///   everything that would be tokenized differently here.
  public static func load(
    folder: String, controlTokens: ControlTokens = .areText
  ) throws(TokenizationError) -> Tokenizer {
    let config = try file("tokenizer_config.json", in: folder) ?? Array("{}".utf8)
    let settings = try naming("tokenizer_config.json", in: folder) {
      () throws(TokenizationError) in try TokenizerSettings(JSONValue(parsing: config))
    }
    if let definition = try file("tokenizer.json", in: folder) {
      return try naming("tokenizer.json", in: folder) { () throws(TokenizationError) in
        try TokenizerDefinition(
          JSONValue(parsing: definition), settings: settings, controlTokens: controlTokens
        ).tokenizer
      }
    }
    guard let vocabulary = try file("vocab.txt", in: folder) else {
      throw TokenizationError(
        code: .unreadable,
        message: "\(folder) has neither a tokenizer.json nor a vocab.txt")
    }
    let options = try naming("tokenizer_config.json", in: folder) {
      () throws(TokenizationError) in try settings.wordPieceOptions()
    }
    return try naming("vocab.txt", in: folder) { () throws(TokenizationError) in
      try Tokenizer(
        wordPieceVocabulary: vocabulary, options: options, controlTokens: controlTokens)
    }
  }

  /// The bytes of a file, nil where there is none.
  private static func file(
    _ name: String, in folder: String
  ) throws(TokenizationError) -> [UInt8]? {
    let url = URL(filePath: folder, directoryHint: .isDirectory).appending(path: name)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    let data: Data?
    do {
      let file = try FileHandle(forReadingFrom: url)
      defer { try? file.close() }
      data = try file.read(upToCount: TokenizerLimits.fileBytesMax + 1)
    } catch {
      throw TokenizationError(
        code: .unreadable, message: "\(url.path) cannot be read: \(error)", underlying: error)
    }
    guard let data, data.count <= TokenizerLimits.fileBytesMax else {
      if data == nil { return [] }
      throw TokenizationError(
        code: .unreadable,
        message: "\(url.path) is larger than \(TokenizerLimits.fileBytesMax) bytes")
    }
    return [UInt8](data)
  }

  private static func naming<Value>(
    _ name: String, in folder: String, _ body: () throws(TokenizationError) -> Value
  ) throws(TokenizationError) -> Value {
    do {
      return try body()
    } catch {
      throw TokenizationError(
        code: error.code, message: "\(folder)/\(name): \(error.message)",
        underlying: error.underlying)
    }
  }
}
