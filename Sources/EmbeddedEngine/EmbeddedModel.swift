public import Foundation
public import Scoring
import Tokenization

/// A cross-encoder in memory, ready to score on any thread.
public final class EmbeddedModel: Sendable {
  /// As the catalogue of models names it.
  public let name: String
  /// As its manifest names it, for people.
  public let title: String?
  public let licence: String?
  /// What of its files is left aside, and why that is harmless.
  public let notices: [String]
  /// Tokens of one pair, the template's own text included.
  public let contextTokens: Int
  /// Tokens of ``contextTokens`` that the template's own text takes.
  public let reservedTokens: Int
  let scoreKind: ScoreKind
  let network: any CrossEncoderNetwork
  let encoder: PairEncoder

  var tokenizer: Tokenizer { encoder.tokenizer }
  /// For those who count what a request would cost without scoring it.
  public var tokenCounter: any TokenCounter { tokenizer }

  /// Loads a Hugging Face folder: config.json, the weights as safetensors in one file or in shards,
  /// tokenizer.json or vocab.txt, and rerankd-model.json where there is one, whose golden pairs are
  /// scored to see that all this is computed rightly.
  ///
  /// - Parameters:
  ///   - precision: what the linear layers compute with; results state what `auto` came to.
  ///   - kernelPath: nil takes the fastest that the machine can run.
  /// - Throws: ``EmbeddedEngineError`` saying what in the folder cannot be used, and why.
  public static func load(
    folder: URL, name: String, precision: PrecisionSetting = .auto, kernelPath: KernelPath? = nil
  ) throws -> EmbeddedModel {
    let configuration = try readConfiguration(in: folder)
    let tokenizer = try understanding("the tokenizer of \(folder.path)") {
      try Tokenizer.load(folder: folder.path)
    }
    let manifest = try ModelManifest.read(in: folder)
    let network = try configuration.network(
      label: "config.json", tokenID: tokenizer.id(ofToken:),
      contextTokensMax: manifest.contextTokens, weights: { try weights(in: folder) },
      precision: precision, path: usable(kernelPath))
    return try EmbeddedModel(
      name: name, network: network, tokenizer: tokenizer, template: configuration.template,
      manifest: manifest)
  }

  /// The ``contextTokens`` of the model inside the binary, known without loading it.
  public static let builtInContextTokens = 512
  /// Its ``reservedTokens``: a control token on either side of the query and of the document.
  public static let builtInReservedTokens = 4

  /// Loads the model inside the binary, and scores its golden pairs to see that this build and this
  /// machine compute it rightly.
  public static func builtIn(
    name: String = "builtin", precision: PrecisionSetting = .auto, kernelPath: KernelPath? = nil
  ) throws -> EmbeddedModel {
    try load(
      BuiltInModelFile.embedded(), name: name, precision: precision, kernelPath: kernelPath)
  }

  static func load(
    _ file: BuiltInModelFile, name: String, precision: PrecisionSetting, kernelPath: KernelPath?
  ) throws -> EmbeddedModel {
    var options = WordPieceOptions()
    options.lowercase = file.manifest.tokenizer.lowercase
    options.segmentsPairs = file.manifest.tokenizer.segmentsPairs ?? false
    let tokenizer = try understanding("the vocabulary of \(file.label)") {
      try Tokenizer(wordPieceVocabulary: file.vocabulary, options: options)
    }
    let configuration = file.manifest.config
    let network = try configuration.network(
      label: file.label, tokenID: tokenizer.id(ofToken:), weights: { file }, precision: precision,
      path: usable(kernelPath))
    var manifest = ModelManifest()
    manifest.golden = file.manifest.golden
    return try EmbeddedModel(
      name: name, network: network, tokenizer: tokenizer, template: configuration.template,
      manifest: manifest)
  }

  private init(
    name: String, network: any CrossEncoderNetwork, tokenizer: Tokenizer,
    template: PairEncoder.Template, manifest: ModelManifest
  ) throws {
    func unsupported(_ what: String) -> EmbeddedEngineError {
      EmbeddedEngineError(code: .unsupportedModel, message: "model \(name): \(what)")
    }
    guard tokenizer.vocabularyCount <= network.vocabularySize else {
      throw unsupported(
        "the tokenizer knows \(tokenizer.vocabularyCount) tokens and the weights have "
          + "\(network.vocabularySize); do they belong together?")
    }
    encoder = try Self.understanding("the template of model \(name)") {
      try PairEncoder(tokenizer: tokenizer, template: manifest.template ?? template)
    }
    let types = try encoder.pair(encoder.query("a", instruction: nil), document: "a").tokenTypes
    guard types.allSatisfy({ $0 < network.tokenTypeCount }) else {
      throw unsupported(
        "the tokenizer gives token type \(types.max() ?? 0) and the weights have "
          + "\(network.tokenTypeCount)")
    }
    contextTokens = manifest.contextTokens ?? network.contextTokens
    guard contextTokens <= network.contextTokens else {
      throw unsupported(
        "the manifest's contextTokens is \(contextTokens); the weights allow "
          + "\(network.contextTokens)")
    }
    reservedTokens = manifest.reservedTokens ?? encoder.overhead
    guard encoder.overhead <= reservedTokens, reservedTokens < contextTokens else {
      throw unsupported(
        "\(reservedTokens) tokens are reserved for the template, which takes up to "
          + "\(encoder.overhead) of a context of \(contextTokens)")
    }
    self.name = name
    self.network = network
    title = manifest.title
    licence = manifest.licence
    scoreKind = manifest.scoreKind ?? network.scoreKind
    notices =
      network.surplusTensors.isEmpty
      ? []
      : [
        "\(network.surplusTensors.count) tensors have no effect on a score and are left aside: "
          + network.surplusTensors.joined(separator: ", ")
      ]
    try check(manifest.golden)
  }

  /// The same model with its last layer computed for all tokens, though the score is read off one:
  /// for measuring what leaving that out saves.
  package func computingWholeLastLayer() -> EmbeddedModel {
    guard var network = network as? BertNetwork else { return self }
    network.computesWholeLastLayer = true
    return EmbeddedModel(self, network: network)
  }

  private init(_ model: EmbeddedModel, network: any CrossEncoderNetwork) {
    name = model.name
    title = model.title
    licence = model.licence
    notices = model.notices
    contextTokens = model.contextTokens
    reservedTokens = model.reservedTokens
    scoreKind = model.scoreKind
    encoder = model.encoder
    self.network = network
  }

  /// The path, if this machine can run it; nil asks for the fastest.
  private static func usable(_ kernelPath: KernelPath?) throws -> KernelPath {
    let path = kernelPath ?? .best
    guard path.isSupported else {
      throw EmbeddedEngineError(
        code: .invalidConfiguration,
        message: "this machine cannot run the kernel path \(path.rawValue); leave it out to get "
          + "\(KernelPath.best.rawValue)")
    }
    return path
  }

  /// How far a golden pair's logit may be from the manifest's, as a part of it where it is beyond
  /// 1: rounding stays well below, and a wrong weight, kernel or token goes far beyond.
  static func goldenTolerance(_ precision: Precision) -> Float {
    switch precision {
    case .fp32: 1e-3
    case .bf16: 0.1
    case .w8a16: 0.3
    case .int8: 0.6
    }
  }

  private func check(_ golden: [ModelManifest.GoldenPair]) throws {
    for pair in golden {
      let logit = try logit(
        ofQuery: encoder.query(pair.query, instruction: nil), document: pair.document)
      // Written so that a NaN fails.
      let tolerance = Self.goldenTolerance(network.precision) * max(1, abs(pair.logit))
      guard abs(logit - pair.logit) <= tolerance else {
        throw EmbeddedEngineError(
          code: .goldenMismatch,
          message: "model \(name) gives the logit \(logit) to a golden pair whose logit is "
            + "\(pair.logit) (\"\(pair.query)\", \"\(pair.document)\"): its file is damaged, "
            + "\(network.precision.rawValue) is too coarse for its weights, or the kernel path "
            + "\(network.path.rawValue) computes wrongly on this machine")
      }
    }
  }

  /// A pair scored by itself, on this thread.
  private func logit(ofQuery query: PairEncoder.Query, document: String) throws -> Float {
    let pair = try encoder.pair(query, document: document)
    guard pair.ids.count <= contextTokens else {
      throw EmbeddedEngineError(
        code: .goldenMismatch,
        message: "model \(name) has a golden pair of \(pair.ids.count) tokens; it reads "
          + "\(contextTokens)")
    }
    var batch = TokenBatch()
    batch.appendPair { $0.append(pair) }
    return network.logits(
      of: batch, scratch: FloatBuffer(count: network.scratchFloats(for: batch)))[0]
  }

  static func understanding<R>(_ what: String, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch {
      throw EmbeddedEngineError(
        code: .malformedFile, message: "\(what) cannot be used", underlying: error)
    }
  }
}
