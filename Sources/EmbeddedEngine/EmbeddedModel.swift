public import Foundation
import Scoring
import Tokenization

/// A cross-encoder in memory, ready to score on any thread.
public final class EmbeddedModel: Sendable {
  /// As the catalogue of models names it.
  public let name: String
  let network: any CrossEncoderNetwork
  let tokenizer: Tokenizer

  /// Tokens of one pair, the control tokens around its texts included.
  public var contextTokens: Int { network.contextTokens }

  var scoreKind: ScoreKind { network.scoreKind }

  /// Loads a Hugging Face folder: config.json, model.safetensors, and tokenizer.json or vocab.txt.
  ///
  /// - Parameter kernelPath: nil takes the fastest that the machine can run.
  /// - Throws: ``EmbeddedEngineError`` saying what in the folder cannot be used, and why.
  public static func load(
    folder: URL, name: String, kernelPath: KernelPath? = nil
  ) throws -> EmbeddedModel {
    let configuration = try readConfiguration(in: folder)
    let tokenizer = try understanding("the tokenizer of \(folder.path)") {
      try Tokenizer.load(folder: folder.path)
    }
    let network = try configuration.network(
      label: "config.json", tokenID: tokenizer.id(ofToken:), weights: { try weights(in: folder) },
      precision: .fp32, path: usable(kernelPath))
    return try EmbeddedModel(
      name: name, network: network, tokenizer: tokenizer)
  }

  /// Loads the model inside the binary, and scores its golden pairs to see that this build and this
  /// machine compute it rightly.
  public static func builtIn(
    name: String = "builtin", kernelPath: KernelPath? = nil
  ) throws -> EmbeddedModel {
    try load(BuiltInModelFile.embedded(), name: name, kernelPath: kernelPath)
  }

  static func load(
    _ file: BuiltInModelFile, name: String, kernelPath: KernelPath?
  ) throws -> EmbeddedModel {
    var options = WordPieceOptions()
    options.lowercase = file.manifest.tokenizer.lowercase
    let tokenizer = try understanding("the vocabulary of \(file.label)") {
      try Tokenizer(wordPieceVocabulary: file.vocabulary, options: options)
    }
    let network = try file.manifest.config.network(
      label: file.label, tokenID: tokenizer.id(ofToken:), weights: { file }, precision: .fp32,
      path: usable(kernelPath))
    let model = try EmbeddedModel(name: name, network: network, tokenizer: tokenizer)
    try model.check(file.manifest.golden)
    return model
  }

  private init(
    name: String, network: any CrossEncoderNetwork, tokenizer: Tokenizer
  ) throws {
    guard tokenizer.vocabularyCount <= network.vocabularySize else {
      throw EmbeddedEngineError(
        code: .unsupportedModel,
        message: "model \(name): the tokenizer knows \(tokenizer.vocabularyCount) tokens and the "
          + "weights have \(network.vocabularySize); do they belong together?")
    }
    self.name = name
    self.network = network
    self.tokenizer = tokenizer
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

  /// How far a golden pair's logit may be from the manifest's: rounding in fp32 stays a hundredfold
  /// below, and a wrong weight, kernel or token goes far beyond.
  static let goldenTolerance: Float = 1e-3

  private func check(_ golden: [BuiltInModelFile.Manifest.GoldenPair]) throws {
    var batch = TokenBatch()
    for pair in golden {
      let query = tokenizer.encode(pair.query)
      let document = tokenizer.encode(pair.document)
      batch.appendPair { tokenizer.appendPair(query: query, document: document, to: &$0) }
    }
    let scratch = FloatBuffer(count: network.scratchFloats(for: batch))
    for (pair, logit) in zip(golden, network.logits(of: batch, scratch: scratch)) {
      // Written so that a NaN fails.
      guard abs(logit - pair.logit) <= Self.goldenTolerance else {
        throw EmbeddedEngineError(
          code: .goldenMismatch,
          message: "model \(name) gives the logit \(logit) to a golden pair whose logit is "
            + "\(pair.logit) (\"\(pair.query)\", \"\(pair.document)\"): its file is damaged, or the "
            + "kernel path \(network.path.rawValue) computes wrongly on this machine")
      }
    }
  }

  static let configurationBytesMax = 1 << 20

  static func readConfiguration(in folder: URL) throws -> NetworkConfiguration {
    let url = folder.appending(path: "config.json")
    let json = try BoundedFile.read(url, bytesMax: configurationBytesMax)
    return try understanding(url.path) {
      try JSONDecoder().decode(NetworkConfiguration.self, from: json)
    }
  }

  static func weights(in folder: URL) throws -> any WeightSource {
    func exists(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: folder.appending(path: name).path)
    }
    if exists("model.safetensors") {
      return try SafetensorsFile(url: folder.appending(path: "model.safetensors"))
    }
    if exists(ShardedCheckpoint.indexName) { return try ShardedCheckpoint(folder: folder) }
    let why =
      if exists("pytorch_model.bin") {
        "it has only pytorch_model.bin, which is a program rather than data; save it as safetensors"
      } else {
        "the file is missing"
      }
    throw EmbeddedEngineError(
      code: .unreadableFile, message: "\(folder.path) has no model.safetensors: \(why)")
  }

  private static func understanding<R>(_ what: String, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch {
      throw EmbeddedEngineError(
        code: .malformedFile, message: "\(what) cannot be used", underlying: error)
    }
  }
}
