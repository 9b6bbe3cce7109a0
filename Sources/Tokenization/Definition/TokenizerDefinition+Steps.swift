import Foundation

extension TokenizerDefinition {
  static func normalizers(
    _ json: JSONValue, _ settings: TokenizerSettings
  ) throws(TokenizationError) -> [Normalizer] {
    let steps = try DefinitionStage.steps(json["normalizer"], "normalizer", list: "normalizers")
    var normalizers: [Normalizer] = []
    var growth = 1
    for step in steps {
      let normalizer = try normalizer(step, settings)
      if case .replace(let pattern, let content) = normalizer {
        growth *= max(1, (content.count + pattern.count - 1) / pattern.count)
      }
      guard growth <= TokenizerLimits.growthMax else {
        throw .unsupported(
          "normalizer whose replacements make a text \(TokenizerLimits.growthMax) times as long")
      }
      normalizers.append(normalizer)
    }
    return normalizers
  }

  private static func normalizer(
    _ step: DefinitionStage, _ settings: TokenizerSettings
  ) throws(TokenizationError) -> Normalizer {
    if let normalizer = plainNormalizers[step.type] {
      try step.allowOnly()
      return normalizer
    }
    switch step.type {
    case "BertNormalizer": return .bert(try bertNormalization(step, settings))
    case "Strip":
      try step.allowOnly("strip_left", "strip_right")
      return .strip(left: try step.bool("strip_left"), right: try step.bool("strip_right"))
    case "Replace":
      try step.allowOnly("pattern", "content")
      let pattern = try step.pattern("pattern")
      let content = try replacement(step, "content")
      if !pattern.isExpression {
        return .replace(pattern: Array(pattern.text.utf8), content: content)
      }
      guard pattern.text == " {2,}" else {
        throw .unsupported("\(step.name).pattern \"\(pattern.text)\"")
      }
      return .replaceBlanks(content: content)
    case "Prepend":
      try step.allowOnly("prepend")
      return .prepend(try replacement(step, "prepend"))
    case "Precompiled":
      try step.allowOnly("precompiled_charsmap")
      guard let map = Data(base64Encoded: try step.string("precompiled_charsmap")) else {
        throw .malformed("\(step.name).precompiled_charsmap is not base64")
      }
      return .precompiled(try PrecompiledMap([UInt8](map)))
    default: throw step.isNotSupported
    }
  }

  /// Those without settings.
  private static let plainNormalizers: [String: Normalizer] = [
    "NFC": .unicode(.nfc), "NFD": .unicode(.nfd), "NFKC": .unicode(.nfkc),
    "NFKD": .unicode(.nfkd), "Lowercase": .lowercase, "StripAccents": .stripAccents,
  ]

  private static func replacement(
    _ step: DefinitionStage, _ key: String
  ) throws(TokenizationError) -> [UInt8] {
    let content = Array(try step.string(key).utf8)
    guard content.count <= TokenizerLimits.replacementBytesMax else {
      throw .unsupported(
        "\(step.name).\(key) of more than \(TokenizerLimits.replacementBytesMax) bytes")
    }
    return content
  }

  private static func bertNormalization(
    _ step: DefinitionStage, _ settings: TokenizerSettings
  ) throws(TokenizationError) -> BertNormalization {
    try step.allowOnly("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    let lowercase = try step.bool("lowercase")
    let strips = step.json["strip_accents"] == nil ? nil : try step.bool("strip_accents")
    let splits = try step.bool("handle_chinese_chars")
    // The reference lets tokenizer_config.json change the normaliser, in some of its versions.
    for (key, here, there) in [
      ("do_lower_case", lowercase, settings.lowercase),
      ("strip_accents", strips ?? lowercase, settings.stripsAccents),
      ("tokenize_chinese_chars", splits, settings.splitsChineseCharacters),
    ] where there != nil && there != here {
      throw TokenizationError(
        code: .unsupported,
        message: "\(step.name) contradicts \(key) of tokenizer_config.json: make them agree")
    }
    return BertNormalization(
      cleansText: try step.bool("clean_text"), splitsChineseCharacters: splits,
      stripsAccents: strips ?? lowercase, lowercases: lowercase)
  }

  /// The steps that cut, and whether they make characters of bytes.
  static func preTokenizers(
    _ json: JSONValue
  ) throws(TokenizationError) -> (steps: [PreTokenizer], readsBytes: Bool) {
    let steps = try DefinitionStage.steps(
      json["pre_tokenizer"], "pre_tokenizer", list: "pretokenizers")
    var preTokenizers: [PreTokenizer] = []
    var readsBytes = false
    for step in steps {
      preTokenizers.append(
        readsBytes ? try byteStep(step) : try preTokenizer(step))
      readsBytes = readsBytes || step.type == "ByteLevel"
    }
    return (preTokenizers, readsBytes)
  }

  private static func preTokenizer(
    _ step: DefinitionStage
  ) throws(TokenizationError) -> PreTokenizer {
    let plain: [String: PreTokenizer] = [
      "BertPreTokenizer": .bert, "Whitespace": .whitespace, "WhitespaceSplit": .whitespaceSplit,
    ]
    if let preTokenizer = plain[step.type] {
      try step.allowOnly()
      return preTokenizer
    }
    switch step.type {
    case "Punctuation":
      try step.allowOnly("behavior")
      return .punctuation(step.json["behavior"] == nil ? .isolated : try behavior(step))
    case "Digits":
      try step.allowOnly("individual_digits")
      return .digits(individual: try step.bool("individual_digits"))
    case "Metaspace": return try metaspace(step)
    case "ByteLevel":
      try step.allowOnly("add_prefix_space", "trim_offsets", "use_regex")
      return .byteLevel(
        addsBlank: try step.bool("add_prefix_space"),
        usesPattern: try step.bool("use_regex", default: true))
    case "Split": return try split(step)
    default: throw step.isNotSupported
    }
  }

  /// Behind ByteLevel, which leaves characters that stand for bytes.
  private static func byteStep(
    _ step: DefinitionStage
  ) throws(TokenizationError) -> PreTokenizer {
    switch try preTokenizer(step) {
    case .digits(let individual): return .byteDigits(individual: individual)
    case .split(.threeDigits, let behavior): return .split(.threeDigits, behavior)
    default: throw .unsupported("\(step.name) \"\(step.type)\" behind \"ByteLevel\"")
    }
  }

  private static func metaspace(
    _ step: DefinitionStage
  ) throws(TokenizationError) -> PreTokenizer {
    try step.allowOnly("replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep")
    let replacement = try step.string("replacement")
    guard replacement.unicodeScalars.count == 1 else {
      throw .malformed("\(step.name).replacement is not one character")
    }
    var scheme = PreTokenizer.PrependScheme.always
    if step.json["prepend_scheme"] != nil {
      let name = try step.string("prepend_scheme")
      guard let named = PreTokenizer.PrependScheme(rawValue: name) else {
        throw .malformed("\(step.name).prepend_scheme \"\(name)\" is unknown")
      }
      scheme = named
      if scheme != .never, step.json["add_prefix_space"]?.bool == false {
        throw .malformed("\(step.name).add_prefix_space contradicts its prepend_scheme")
      }
    } else if try !step.bool("add_prefix_space", default: true) {
      throw .malformed("\(step.name).add_prefix_space false needs a prepend_scheme")
    }
    return .metaspace(
      replacement: Array(replacement.utf8), prepend: scheme,
      splits: try step.bool("split", default: true))
  }

  private static func split(
    _ step: DefinitionStage
  ) throws(TokenizationError) -> PreTokenizer {
    try step.allowOnly("pattern", "behavior", "invert")
    let pattern = try step.pattern("pattern")
    var behavior = try behavior(step)
    let inverts = try step.bool("invert", default: false)
    guard pattern.isExpression else {
      guard !inverts else { throw .unsupported("\(step.name).invert") }
      return .splitText(Array(pattern.text.utf8), behavior)
    }
    guard let known = SplitPattern(regularExpression: pattern.text) else {
      throw .unsupported("\(step.name).pattern \"\(pattern.text)\"")
    }
    // Leaving out what lies between matches is the same as keeping them apart, where nothing does.
    if inverts, behavior == .removed, known.coversAll {
      behavior = .isolated
    } else if inverts {
      throw .unsupported("\(step.name).invert with \(behavior.rawValue)")
    }
    return .split(known, behavior)
  }

  private static func behavior(
    _ step: DefinitionStage
  ) throws(TokenizationError) -> SplitBehavior {
    let name = try step.string("behavior")
    guard let behavior = SplitBehavior(rawValue: name) else {
      throw .malformed("\(step.name).behavior \"\(name)\" is unknown")
    }
    return behavior
  }
}
