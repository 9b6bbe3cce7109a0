extension TokenizerDefinition {
  /// The template of a pair, from the one post-processor that adds tokens, if there is one.
  static func pairTemplate(_ json: JSONValue) throws(TokenizationError) -> PairTemplate {
    let steps = try DefinitionStage.steps(
      json["post_processor"], "post_processor", list: "processors")
    var template: PairTemplate?
    for step in steps {
      guard let next = try self.template(step) else { continue }
      guard template == nil else {
        throw .unsupported("post_processor with two steps that add tokens")
      }
      template = next
    }
    return template ?? .bare
  }

  private static func template(
    _ step: DefinitionStage
  ) throws(TokenizationError) -> PairTemplate? {
    switch step.type {
    case "ByteLevel":
      // What it does to offsets concerns nobody here.
      return nil
    case "BertProcessing":
      try step.allowOnly("sep", "cls")
      return .bert(cls: try id(step, "cls"), sep: try id(step, "sep"))
    case "RobertaProcessing":
      try step.allowOnly("sep", "cls", "trim_offsets", "add_prefix_space")
      return .roberta(cls: try id(step, "cls"), sep: try id(step, "sep"))
    case "TemplateProcessing": return try pair(step)
    default: throw step.isNotSupported
    }
  }

  private static func id(
    _ step: DefinitionStage, _ key: String
  ) throws(TokenizationError) -> Int32 {
    guard let id = step.json[key]?.array?.last?.integer else {
      throw .malformed("\(step.name).\(key) is not a pair of token and id")
    }
    return id
  }

  private static func pair(_ step: DefinitionStage) throws(TokenizationError) -> PairTemplate {
    try step.allowOnly("single", "pair", "special_tokens")
    guard let items = step.json["pair"]?.array else {
      throw .malformed("\(step.name).pair is not a list")
    }
    guard items.count <= TokenizerLimits.stepsMax else {
      throw .unsupported("\(step.name).pair of more than \(TokenizerLimits.stepsMax) pieces")
    }
    var pieces: [PairTemplate.Piece] = []
    for item in items { pieces.append(contentsOf: try Self.pieces(item, step)) }
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
        message: "\(step.name).pair has to hold the sequences A and B once each, in this order")
    }
    return PairTemplate(pieces: pieces)
  }

  private static func pieces(
    _ item: JSONValue, _ step: DefinitionStage
  ) throws(TokenizationError) -> [PairTemplate.Piece] {
    if let sequence = item["Sequence"], let type = tokenType(sequence) {
      switch sequence["id"]?.string {
      case "A": return [.query(type: type)]
      case "B": return [.document(type: type)]
      default: break
      }
    }
    if let token = item["SpecialToken"], let type = tokenType(token),
      let name = token["id"]?.string,
      let ids = step.json["special_tokens"]?[name]?["ids"]?.array
    {
      let pieces = ids.compactMap(\.integer).map { PairTemplate.Piece.control(id: $0, type: type) }
      if pieces.count == ids.count { return pieces }
    }
    throw .malformed("\(step.name).pair has an entry that is neither a sequence nor a token")
  }

  private static func tokenType(_ item: JSONValue) -> UInt8? {
    item["type_id"]?.integer.flatMap { UInt8(exactly: $0) }
  }
}
