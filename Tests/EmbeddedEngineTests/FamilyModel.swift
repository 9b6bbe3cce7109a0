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

  /// How far a logit in fp32 may be from the reference's.
  static let tolerance: Float = 1e-4
  static let paths = KernelPath.allCases.filter(\.isSupported)

  var folder: URL {
    PackageFolder.url.appending(
      path: "Tests/Fixtures/families/\(rawValue)", directoryHint: .isDirectory)
  }

  /// A decoder's score is read off its last token.
  var readsLastToken: Bool { rawValue.hasPrefix("qwen3") }

  func network(_ path: KernelPath = .best) throws -> any CrossEncoderNetwork {
    try EmbeddedModel.network(folder: folder, precision: .fp32, path: path)
  }

  func weights() throws -> any WeightSource { try EmbeddedModel.weights(in: folder) }

  /// The network that config.json describes, with weights from elsewhere.
  func network(weights: any WeightSource) throws -> any CrossEncoderNetwork {
    try EmbeddedModel.readConfiguration(in: folder).network(
      label: rawValue, weights: { weights }, precision: .fp32, path: .best)
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

extension CrossEncoderNetwork {
  /// The sequences' logits, all in one batch.
  func logits(
    ofSequences sequences: [[Int32]],
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void = { _, _ in }
  ) -> [Float] {
    var batch = TokenBatch()
    for ids in sequences {
      batch.appendPair {
        $0.ids += ids
        $0.tokenTypes += Array(repeating: 0, count: ids.count)
      }
    }
    let scratch = FloatBuffer(count: scratchFloats(tokens: batch.tokenCount))
    return logits(of: batch, scratch: scratch, observe: observe)
  }

  /// The largest distance of a logit from the reference's. NaN counts as infinite.
  func goldenError(_ golden: [GoldenSequence]) -> Float {
    zip(logits(ofSequences: golden.map(\.ids)), golden)
      .map { abs($0 - $1.logit) }.map { $0.isNaN ? .infinity : $0 }.max() ?? .infinity
  }
}
