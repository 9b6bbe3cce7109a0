import Foundation
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// A sequence of tokens with the logit that the reference gives it.
struct GoldenSequence: Decodable {
  var ids: [Int32]
  var logit: Float
}

/// The tiny models of Tests/Fixtures/families.
enum FamilyModel: String, CaseIterable {
  case xlmRoberta = "xlm-roberta"
  case xlmRobertaHalf = "xlm-roberta-f16"
  /// First-token pooling, transformers 4's spelling, few biases.
  case modernBertFirst = "modernbert-cls"
  /// Mean pooling, transformers 5's spelling, every bias.
  case modernBertMean = "modernbert-mean"
  /// Yes against no, the head tied to the embeddings.
  case qwen3Tied = "qwen3-causal"
  /// Yes against no, in transformers 5's spelling, as many key heads as query heads.
  case qwen3Untied = "qwen3-causal-untied"
  /// A classifier, its weights in three files.
  case qwen3Classifier = "qwen3-classifier"

  /// How far a logit in fp32 may be from the reference's.
  static let tolerance: Float = 1e-4
  static let paths = KernelPath.allCases.filter(\.isSupported)

  var folder: URL {
    PackageFolder.url.appending(
      path: "Tests/Fixtures/families/\(rawValue)", directoryHint: .isDirectory)
  }

  /// A decoder's score is read off its last token.
  var readsLastToken: Bool { rawValue.hasPrefix("qwen3") }

  func network(
    _ path: KernelPath = .best, _ precision: PrecisionSetting = .fp32
  ) throws -> any CrossEncoderNetwork {
    try network(weights: weights(), path, precision)
  }

  /// The folder's files in a folder that a test may change.
  func copy() throws -> TemporaryFolder {
    let copy = try TemporaryFolder("model")
    for file in try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    where file.lastPathComponent != "hidden.safetensors" {
      try FileManager.default.copyItem(
        at: file, to: copy.url.appending(path: file.lastPathComponent))
    }
    return copy
  }

  func weights() throws -> any WeightSource { try EmbeddedModel.weights(in: folder) }

  /// The network that config.json describes, with weights from elsewhere.
  func network(
    weights: any WeightSource, _ path: KernelPath = .best, _ precision: PrecisionSetting = .fp32
  ) throws -> any CrossEncoderNetwork {
    let answers = try answerTokens()
    return try EmbeddedModel.readConfiguration(in: folder).network(
      label: rawValue, tokenID: { answers[$0] }, weights: { weights }, precision: precision,
      path: path)
  }

  /// The ids that a byte-level vocabulary gives to words.
  private func answerTokens() throws -> [String: Int32] {
    let file = folder.appending(path: "tokenizer.json")
    let definition = try JSONDecoder().decode(VocabularyFile.self, from: Data(contentsOf: file))
    return definition.model.vocab.ids
  }

  func golden() throws -> [GoldenSequence] {
    try JSONDecoder().decode(
      [GoldenSequence].self, from: Data(contentsOf: folder.appending(path: "golden.json")))
  }

  /// The reference's states [tokens][hidden] of one sequence, after the embeddings and each layer.
  func states(ofSequence sequence: Int) throws -> [[Float]] {
    let file = try SafetensorsFile(url: folder.appending(path: "hidden.safetensors"))
    var loader = TensorLoader(source: file)
    var states: [[Float]] = []
    while let tensor = file.tensors["\(sequence).\(states.count)"] {
      let floats = try loader.floats([tensor.name], shape: tensor.shape)
      states.append(Array(UnsafeBufferPointer(start: floats.start, count: floats.count)))
    }
    return states
  }
}

/// As much of a tokenizer.json as tests of networks need.
private struct VocabularyFile: Decodable {
  struct Model: Decodable {
    var vocab: Vocabulary
  }

  /// Only BPE's is a map; Unigram's is a list.
  struct Vocabulary: Decodable {
    var ids: [String: Int32]

    init(from decoder: any Decoder) throws {
      ids = (try? [String: Int32](from: decoder)) ?? [:]
    }
  }

  var model: Model
}

extension CrossEncoderNetwork {
  /// The sequences' logits, all in one batch.
  func logits(
    ofSequences sequences: [[Int32]], after prefix: SharedPrefix? = nil,
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void = { _, _ in }
  ) -> [Float] {
    var batch = TokenBatch()
    for ids in sequences {
      batch.appendPair(after: prefix) { $0.append(ids: ids) }
    }
    let scratch = FloatBuffer(count: scratchFloats(for: batch))
    return logits(of: batch, scratch: scratch, observe: observe)
  }

  /// The largest distance of a logit from the reference's. NaN counts as infinite.
  func goldenError(_ golden: [GoldenSequence]) -> Float {
    zip(logits(ofSequences: golden.map(\.ids)), golden)
      .map { abs($0 - $1.logit) }.map { $0.isNaN ? .infinity : $0 }.max() ?? .infinity
  }
}
