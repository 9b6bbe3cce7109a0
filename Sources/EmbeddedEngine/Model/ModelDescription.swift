public import Foundation
public import Scoring
import Tokenization

/// What a model's files say of it.
public struct ModelDescription: Sendable {
  /// For people; nil where no manifest says it.
  public var title: String?
  public var licence: String?
  /// As transformers calls it.
  public var architecture: String
  /// Tokens of one pair, the template's own text included.
  public var contextTokens: Int
  /// Tokens of ``contextTokens`` that the template's own text takes.
  public var reservedTokens: Int
  public var scoreKind: ScoreKind
  /// "pair", or the prompt with its places in braces.
  public var template: String
  /// "WordPiece", "Unigram" or "byte-pair encoding".
  public var tokenizer: String
  public var vocabularyCount: Int
  public var tensorCount: Int
  /// Numbers in all tensors.
  public var parameterCount: Int
  /// As the file stores them, in order.
  public var storedTypes: [String]
  public var goldenPairCount: Int
  /// Whether there is a rerankd-model.json, or the like inside the binary.
  public var hasManifest: Bool
  private let prompt: PromptTemplate?

  init(
    configuration: NetworkConfiguration, label: String, manifest: ModelManifest,
    tokenizer: Tokenizer, weights: any WeightSource, hasManifest: Bool
  ) throws {
    let facts = try configuration.facts(label: label, contextTokensMax: manifest.contextTokens)
    let encoder = try EmbeddedModel.understanding("the template") {
      try PairEncoder(
        tokenizer: tokenizer, template: manifest.template ?? configuration.template)
    }
    title = manifest.title
    licence = manifest.licence
    architecture = facts.architecture
    contextTokens = manifest.contextTokens ?? facts.contextTokens
    reservedTokens = manifest.reservedTokens ?? encoder.overhead
    scoreKind = manifest.scoreKind ?? facts.scoreKind
    prompt = if case .prompt(let prompt) = encoder.template { prompt } else { nil }
    template = prompt?.text ?? "pair"
    self.tokenizer = tokenizer.kind.rawValue
    vocabularyCount = tokenizer.vocabularyCount
    tensorCount = weights.tensors.count
    parameterCount = weights.tensors.values.reduce(0) { $0 + $1.shape.reduce(1, *) }
    storedTypes = Set(weights.tensors.values.map(\.typeName)).sorted()
    goldenPairCount = manifest.golden.count
    self.hasManifest = hasManifest
  }

  /// A pair and its logit in fp32, for a manifest.
  public typealias ScoredPair = (query: String, document: String, logit: Float)

  /// A rerankd-model.json that says what is known, and has these pairs to hold the model to.
  public func manifest(name: String, golden: [ScoredPair]) throws -> Data {
    var manifest: [String: Any] = [
      "name": title ?? name, "template": prompt?.manifestValue ?? "pair",
      "scoreKind": scoreKind.rawValue, "contextTokens": contextTokens,
      "reservedTokens": reservedTokens,
      "golden": golden.map {
        ["query": $0.query, "document": $0.document, "logit": Double("\($0.logit)") ?? 0]
      },
    ]
    if let licence { manifest["licence"] = licence }
    return try JSONSerialization.data(
      withJSONObject: manifest, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
      + Data("\n".utf8)
  }
}

extension PromptTemplate {
  fileprivate var text: String {
    pieces.map { piece in
      switch piece {
      case .control(let text), .text(let text): text
      case .place(let place): "{\(place.rawValue)}"
      }
    }
    .joined()
  }

  /// As ``ModelManifest`` reads it.
  fileprivate var manifestValue: [String: Any] {
    let pieces = pieces.map { piece in
      switch piece {
      case .control(let name): ["control": name]
      case .text(let text): ["text": text]
      case .place(let place): ["place": place.rawValue]
      }
    }
    return ["instruction": instruction, "prompt": pieces]
  }
}

extension EmbeddedModel {
  /// The tokens of a text by itself, for checks of its tokenizer.
  public func tokens(of text: String) -> [Int32] { tokenizer.encode(text) }

  /// What its linear layers compute with, as results state it.
  public var precision: String { network.precision.rawValue }

  /// What stands for text that the vocabulary has no token for; nil where it has one for every
  /// byte.
  public var unknownToken: Int32? { tokenizer.unknownID }
}
