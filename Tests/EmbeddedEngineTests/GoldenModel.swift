import Foundation
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// A pair with what the reference implementation says of it.
struct GoldenPair: Decodable {
  var query: String
  var document: String
  var ids: [Int32]
  var tokenTypes: [UInt8]
  var logit: Float
  /// After the embeddings and each layer; after the last of the first token only.
  var hidden: [[Float]]?

  enum CodingKeys: String, CodingKey {
    case query, document, ids, logit, hidden
    case tokenTypes = "token_types"
  }

  static func read(in folder: URL) throws -> [GoldenPair] {
    try JSONDecoder().decode(
      [GoldenPair].self, from: Data(contentsOf: folder.appending(path: "golden.json")))
  }
}

/// The tiny models of Tests/Fixtures/bert.
enum TinyModel: String, CaseIterable {
  case gelu = "tiny-gelu-f32"
  case tanh = "tiny-tanh-bf16"
  case relu = "tiny-relu-f16"

  var folder: URL {
    PackageFolder.url.appending(
      path: "Tests/Fixtures/bert/\(rawValue)", directoryHint: .isDirectory)
  }

  func load(
    _ path: KernelPath? = nil, precision: PrecisionSetting = .fp32
  ) throws -> EmbeddedModel {
    try EmbeddedModel.load(
      folder: folder, name: rawValue, precision: precision, kernelPath: path)
  }

  func network(
    _ path: KernelPath? = nil, precision: PrecisionSetting = .fp32
  ) throws -> BertNetwork {
    try load(path, precision: precision).bert
  }

  func golden() throws -> [GoldenPair] { try GoldenPair.read(in: folder) }
}

extension EmbeddedModel {
  var bert: BertNetwork {
    get throws { try #require(network as? BertNetwork) }
  }
}

extension BertNetwork {
  /// The pairs' logits, all in one batch.
  func logits(
    ofPairs pairs: [GoldenPair],
    observe: (_ layer: Int, _ hidden: UnsafeBufferPointer<Float>) -> Void = { _, _ in }
  ) -> [Float] {
    var batch = TokenBatch()
    for pair in pairs {
      batch.appendPair {
        $0.ids += pair.ids
        $0.tokenTypes += pair.tokenTypes
      }
    }
    let scratch = FloatBuffer(count: scratchFloats(for: batch))
    return logits(of: batch, scratch: scratch, observe: observe)
  }

  /// The largest distance of a logit from the reference's.
  func goldenError(_ pairs: [GoldenPair]) -> Float {
    zip(logits(ofPairs: pairs), pairs).map { abs($0 - $1.logit) }.max() ?? .infinity
  }
}
