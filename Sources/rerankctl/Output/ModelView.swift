import EmbeddedEngine
import RerankdProtocol
import Scoring

/// A model of the queue's catalogue, as it is printed.
struct ModelView: Encodable {
  var name: String
  var engine: String?
  var contextTokens: UInt32
  var reservedTokens: UInt32
  var images: Bool
  var workers: UInt32
  var fallbacks: [String]?

  init(_ model: ModelInfo) {
    name = model.name
    engine = model.engine.nonEmpty
    contextTokens = model.contextTokens
    reservedTokens = model.reservedTokens
    images = model.images
    workers = model.workers
    fallbacks = model.fallbacks.isEmpty ? nil : model.fallbacks
  }

  static func table(_ models: [ModelView]) -> TextTable {
    var table = TextTable([
      ("MODEL", .left), ("ENGINE", .left), ("CONTEXT", .right), ("RESERVED", .right),
      ("IMAGES", .left), ("WORKERS", .right), ("FALLBACKS", .left),
    ])
    for model in models {
      table.append([
        model.name, model.engine ?? "", "\(model.contextTokens)", "\(model.reservedTokens)",
        model.images ? "yes" : "no", "\(model.workers)",
        (model.fallbacks ?? []).joined(separator: ", "),
      ])
    }
    return table
  }

  var text: String {
    FactSheet([
      ("model", name), ("engine", engine ?? "unknown"), ("context", "\(contextTokens) tokens"),
      ("reserved", "\(reservedTokens) tokens"), ("images", images ? "yes" : "no"),
      ("workers", "\(workers)"),
      ("fallbacks", fallbacks?.joined(separator: ", ") ?? "none"),
    ]).text
  }
}

/// A model on this machine, as it is printed.
struct ModelDescriptionView: Encodable {
  var model: String
  var title: String?
  var licence: String?
  var architecture: String
  var contextTokens: Int
  var reservedTokens: Int
  var scoreKind: String
  var template: String
  var tokenizer: String
  var vocabulary: Int
  var tensors: Int
  var parameters: Int
  var storedTypes: [String]
  var precisions: [String]
  var goldenPairs: Int
  var manifest: Bool

  init(_ description: ModelDescription, model: String) {
    self.model = model
    title = description.title
    licence = description.licence
    architecture = description.architecture
    contextTokens = description.contextTokens
    reservedTokens = description.reservedTokens
    scoreKind = description.scoreKind.rawValue
    template = description.template
    tokenizer = description.tokenizer
    vocabulary = description.vocabularyCount
    tensors = description.tensorCount
    parameters = description.parameterCount
    storedTypes = description.storedTypes
    precisions = PrecisionSetting.allCases.map(\.rawValue)
    goldenPairs = description.goldenPairCount
    manifest = description.hasManifest
  }

  var text: String {
    FactSheet([
      ("model", title.map { "\(model) (\($0))" } ?? model), ("licence", licence ?? "not stated"),
      ("architecture", architecture), ("context", "\(contextTokens) tokens"),
      ("reserved", "\(reservedTokens) tokens"), ("score", scoreKind),
      ("template", template.replacing("\n", with: "\\n")),
      ("tokenizer", "\(tokenizer), \(vocabulary) tokens"),
      ("weights", "\(parameters) in \(tensors) tensors, \(storedTypes.joined(separator: ", "))"),
      ("precisions", precisions.joined(separator: ", ")),
      ("golden pairs", "\(goldenPairs)"), ("manifest", manifest ? "yes" : "no"),
    ]).text
  }
}

extension ModelCheck.Report {
  /// A checklist, and the speeds below it.
  var text: String {
    let width = steps.map(\.name.count).max() ?? 0
    let checklist = steps.map { step in
      let name = step.name + String(repeating: " ", count: width - step.name.count)
      return "\(step.passed ? "ok  " : "FAIL")  \(name)  \(step.detail)\n"
    }
    let speeds = speed.map { speed in
      let rate = OutcomeView.fixed(Float(speed.pairsPerCpuSecond)).dropLast(3)
      return
        "speed \(speed.precision): \(rate) pairs a CPU-second at \(speed.tokensPerPair) tokens\n"
    }
    let unfit = unfitPrecisions.map { "not to be used in \($0)\n" }
    return checklist.joined() + speeds.joined() + unfit.joined()
      + "\(model) \(passed ? "can be used" : "cannot be used")\n"
  }
}
