import CEngineKernels
public import Foundation
import Scoring
import Tokenization

/// Where a model comes from, and what can be said of it without computing with it.
public enum ModelFiles: Sendable, Equatable {
  /// Inside the binary.
  case builtIn
  /// A Hugging Face folder.
  case folder(URL)

  /// - Throws: ``EmbeddedEngineError`` saying what cannot be used, and why.
  public func load(name: String, precision: PrecisionSetting) throws -> EmbeddedModel {
    switch self {
    case .builtIn: try EmbeddedModel.builtIn(name: name, precision: precision)
    case .folder(let folder):
      try EmbeddedModel.load(folder: folder, name: name, precision: precision)
    }
  }

  /// Reads configuration, manifest, tokenizer and the weights' headers.
  ///
  /// - Throws: ``EmbeddedEngineError`` for a file that cannot be used.
  public func description() throws -> ModelDescription {
    switch self {
    case .builtIn:
      let file = try BuiltInModelFile.embedded()
      var manifest = ModelManifest()
      manifest.golden = file.manifest.golden
      var options = WordPieceOptions()
      options.lowercase = file.manifest.tokenizer.lowercase
      options.segmentsPairs = file.manifest.tokenizer.segmentsPairs ?? false
      return try ModelDescription(
        configuration: file.manifest.config, label: file.label, manifest: manifest,
        tokenizer: Tokenizer(wordPieceVocabulary: file.vocabulary, options: options),
        weights: file, hasManifest: true)
    case .folder(let folder):
      let path = folder.appending(path: ModelManifest.fileName).path
      return try ModelDescription(
        configuration: EmbeddedModel.readConfiguration(in: folder), label: "config.json",
        manifest: ModelManifest.read(in: folder),
        tokenizer: EmbeddedModel.understanding("the tokenizer of \(folder.path)") {
          try Tokenizer.load(folder: folder.path)
        },
        weights: EmbeddedModel.weights(in: folder),
        hasManifest: FileManager.default.fileExists(atPath: path))
    }
  }

  /// Names of the tensors that hold a NaN or an infinity, in order.
  public func nonFiniteTensors() throws -> [String] {
    let source: any WeightSource =
      switch self {
      case .builtIn: try BuiltInModelFile.embedded()
      case .folder(let folder): try EmbeddedModel.weights(in: folder)
      }
    return try source.tensors.values.sorted { $0.name < $1.name }
      .filter { try !source.isFinite($0) }.map(\.name)
  }

  /// Of a folder, by its configuration and its manifest alone: the weights and the tokenizer are
  /// not opened.
  ///
  /// - Returns: `reservedTokens` is nil where it depends on the tokenizer.
  public static func window(
    ofFolder folder: URL
  ) throws -> (contextTokens: Int, reservedTokens: Int?) {
    let configuration = try EmbeddedModel.readConfiguration(in: folder)
    let manifest = try ModelManifest.read(in: folder)
    let facts = try configuration.facts(
      label: "config.json", contextTokensMax: manifest.contextTokens)
    let usesPairs = (manifest.template ?? configuration.template) == .pair
    return (
      manifest.contextTokens ?? facts.contextTokens,
      manifest.reservedTokens ?? (usesPairs ? facts.pairOverhead : nil)
    )
  }
}

extension NetworkConfiguration {
  /// What a configuration says by itself.
  struct Facts {
    var architecture: String
    var contextTokens: Int
    var scoreKind: ScoreKind
    /// Control tokens of the pair that the family's tokenizers make.
    var pairOverhead: Int
  }

  func facts(label: String, contextTokensMax: Int?) throws -> Facts {
    let check = ConfigurationCheck(label: label)
    switch family {
    case .bert(let file, let segments):
      let checked = try BertConfiguration(file, segments: segments, score: score, check: check)
      return Facts(
        architecture: checked.family.rawValue, contextTokens: checked.contextTokens,
        scoreKind: checked.scoreKind, pairOverhead: checked.family == .bert ? 3 : 4)
    case .modernBert(let file):
      let checked = try ModernBertConfiguration(file, score: score, check: check)
      return Facts(
        architecture: "ModernBertForSequenceClassification", contextTokens: checked.positionCount,
        scoreKind: checked.scoreKind, pairOverhead: 3)
    case .qwen3(let file, let isCausal):
      // Which tokens answer yes and no changes nothing of what is asked here.
      let checked = try Qwen3Configuration(
        file, isCausal: isCausal, score: score, tokenID: { _ in 0 },
        contextTokensMax: contextTokensMax, check: check)
      return Facts(
        architecture: isCausal ? "Qwen3ForCausalLM" : "Qwen3ForSequenceClassification",
        contextTokens: checked.contextTokens, scoreKind: checked.scoreKind, pairOverhead: 3)
    }
  }
}

extension WeightSource {
  /// Read in parts of about 1 MiB, so that the largest table takes little memory.
  fileprivate func isFinite(_ tensor: StoredTensor) throws -> Bool {
    // Integers are always finite, but for the scales of their rows.
    guard let type = tensor.type.kernelType, type != .int8 else {
      return tensor.rowScales.allSatisfy(\.isFinite)
    }
    guard let rowCount = tensor.shape.first, rowCount > 0, tensor.byteCount > 0 else {
      return try isFinite(bytes(of: tensor), type)
    }
    let step = max(1, (1 << 20) * rowCount / tensor.byteCount)
    for start in stride(from: 0, to: rowCount, by: step) {
      let part = tensor.rows(start..<min(start + step, rowCount))
      guard try isFinite(bytes(of: part), type) else { return false }
    }
    return true
  }

  private func isFinite(_ stored: TensorBytes, _ type: engine_type) throws -> Bool {
    let count = stored.bytes.count / (type == .float32 ? 4 : 2)
    let floats = FloatBuffer(count: count)
    engine_convert(type, count, stored.bytes.baseAddress, 1, floats.start)
    return UnsafeBufferPointer(start: floats.start, count: count).allSatisfy(\.isFinite)
  }
}
