/// One stage of a tokenizer.json, or a step of one: an object that names its type and settings.
struct DefinitionStage {
  /// As messages name it: "normalizer", "pre_tokenizer.pretokenizers[1]".
  let name: String
  let type: String
  let json: JSONValue

  /// - Parameter type: what a stage is that does not say so, as old files leave models.
  init(
    _ json: JSONValue, _ name: String, assuming type: String? = nil
  ) throws(TokenizationError) {
    guard json.members != nil else { throw .malformed("\(name) is not an object") }
    guard let type = json["type"]?.string ?? type else { throw .malformed("\(name) has no type") }
    self.name = name
    self.type = type
    self.json = json
  }

  /// The steps of a stage that may be a sequence; none where the stage is absent.
  static func steps(
    _ json: JSONValue?, _ name: String, list: String
  ) throws(TokenizationError) -> [DefinitionStage] {
    guard let json else { return [] }
    let stage = try DefinitionStage(json, name)
    guard stage.type == "Sequence" else { return [stage] }
    try stage.allowOnly(list)
    guard let items = json[list]?.array else { throw .malformed("\(name).\(list) is not a list") }
    var steps: [DefinitionStage] = []
    for (index, item) in items.enumerated() {
      steps += try Self.steps(item, "\(name).\(list)[\(index)]", list: list)
      guard steps.count <= TokenizerLimits.stepsMax else {
        throw .unsupported("\(name) with more than \(TokenizerLimits.stepsMax) steps")
      }
    }
    return steps
  }

  var isNotSupported: TokenizationError { .unsupported("\(name) \"\(type)\"") }

  func allowOnly(_ keys: String...) throws(TokenizationError) {
    for member in json.members ?? [] {
      let key = String(decoding: member.key, as: UTF8.self)
      guard key == "type" || keys.contains(key) else { throw .unsupported("\(name).\(key)") }
    }
  }

  func string(_ key: String) throws(TokenizationError) -> String {
    guard let value = json[key]?.string else { throw .malformed("\(name).\(key) is no string") }
    return value
  }

  func bool(_ key: String, default value: Bool? = nil) throws(TokenizationError) -> Bool {
    guard let found = json[key] else {
      if let value { return value }
      throw .malformed("\(name).\(key) is neither true nor false")
    }
    guard let found = found.bool else {
      throw .malformed("\(name).\(key) is neither true nor false")
    }
    return found
  }

  func integer(_ key: String) throws(TokenizationError) -> Int {
    guard let value = json[key]?.integer else { throw .malformed("\(name).\(key) is no number") }
    return Int(value)
  }

  /// What a step looks for: {"String": …} or {"Regex": …}.
  func pattern(_ key: String) throws(TokenizationError) -> (text: String, isExpression: Bool) {
    if let text = json[key]?["String"]?.string, !text.isEmpty { return (text, false) }
    if let text = json[key]?["Regex"]?.string { return (text, true) }
    throw .malformed("\(name).\(key) is neither a text nor a regular expression")
  }
}

extension TokenizationError {
  static func malformed(_ message: String) -> TokenizationError {
    TokenizationError(code: .malformed, message: message)
  }

  static func unsupported(_ what: String) -> TokenizationError {
    TokenizationError(code: .unsupported, message: "\(what) is not supported")
  }
}
