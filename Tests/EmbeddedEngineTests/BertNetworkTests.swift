import CEngineKernels
import Foundation
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

/// The forward pass against transformers' BertForSequenceClassification.
@Suite struct BertNetworkTests {
  /// How far a logit may be from the reference's.
  static let tolerance: Float = 1e-4
  static let paths = KernelPath.allCases.filter(\.isSupported)

  @Test(arguments: TinyModel.allCases, paths)
  func logitsAreTheReferences(model: TinyModel, path: KernelPath) throws {
    let pairs = try model.golden()
    #expect(pairs.count == 24)
    #expect(try model.network(path).goldenError(pairs) <= Self.tolerance)
  }

  @Test(arguments: TinyModel.allCases, paths)
  func everyLayersOutputIsTheReferences(model: TinyModel, path: KernelPath) throws {
    let network = try model.network(path)
    var layersSeen = 0
    for pair in try model.golden() {
      guard let expected = pair.hidden else { continue }
      _ = network.logits(ofPairs: [pair]) { layer, hidden in
        layersSeen += 1
        #expect(hidden.count == expected[layer].count)
        let error = zip(hidden, expected[layer]).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= Self.tolerance, "layer \(layer)")
      }
    }
    #expect(layersSeen == 3 * (1 + network.configuration.layerCount))
  }

  @Test(arguments: paths, [PrecisionSetting.fp32, .bf16, .w8a16, .int8])
  func batchedEqualsSingleBitForBit(path: KernelPath, precision: PrecisionSetting) throws {
    for model in TinyModel.allCases {
      try batchedEqualsSingle(model.network(path, precision: precision), model)
    }
  }

  @Test(arguments: TinyModel.allCases)
  func leavingOutWhatNobodyReadsChangesNoBit(model: TinyModel) throws {
    let cut = try model.load()
    let whole = try cut.computingWholeLastLayer().bert
    let pairs = try model.golden()
    #expect(try whole.logits(ofPairs: pairs) == cut.bert.logits(ofPairs: pairs))
  }

  private func batchedEqualsSingle(_ network: BertNetwork, _ model: TinyModel) throws {
    let pairs = try model.golden()
    let single = pairs.map { network.logits(ofPairs: [$0])[0] }
    #expect(network.logits(ofPairs: pairs) == single)
    #expect(network.logits(ofPairs: pairs.reversed()) == single.reversed())
    #expect(network.logits(ofPairs: Array(pairs[3..<8])) == Array(single[3..<8]))
  }

  @Test(
    .needsSharedModel("minilm-l6-cross-encoder/golden.json"), arguments: paths)
  func theDevelopmentModelsLogitsAreTheReferences(path: KernelPath) throws {
    let folder = SharedData.models.appending(
      path: "minilm-l6-cross-encoder", directoryHint: .isDirectory)
    let pairs = try GoldenPair.read(in: folder)
    let model = try EmbeddedModel.load(
      folder: folder, name: "development", precision: .fp32, kernelPath: path)
    #expect(pairs.count == 12)
    #expect(try model.bert.goldenError(pairs) <= Self.tolerance)
    // The reference took an empty document for none, and left out its separator.
    for pair in pairs where !pair.document.isEmpty {
      let encoded = model.tokenizer.encodePair(query: pair.query, document: pair.document)
      #expect(encoded.ids == pair.ids)
      #expect(encoded.tokenTypes == pair.tokenTypes)
    }
  }

  /// What the goldens must see: each makes the network wrong in one place.
  enum Mutation: String, CaseIterable {
    case noQueryBias, noValueBias, noAttentionOutputBias, noUpBias, noDownBias, noPoolerBias
    case noClassifierBias, noEmbeddingNormBias, noAttentionNormBias, noOutputNormBias
    case noEmbeddingNormGain, noAttentionNormGain, noOutputNormGain
    case otherActivation, otherEpsilon, positionOffset, noTokenTypes, swappedTokenTypes

    func apply(to network: inout BertNetwork) {
      let hidden = network.configuration.hiddenSize
      func zeros(_ count: Int) -> FloatBuffer { FloatBuffer(count: count) }
      func ones() -> FloatBuffer { filled(hidden) { _ in 1 } }
      var weights = network.weights
      let last = weights.layers.count - 1
      switch self {
      case .noQueryBias: weights.layers[0].query.bias = zeros(hidden)
      case .noValueBias:
        let bias = weights.layers[0].keyValue.bias
        weights.layers[0].keyValue.bias = filled(2 * hidden) {
          $0 < hidden ? bias?.start[$0] ?? 0 : 0
        }
      case .noAttentionOutputBias: weights.layers[last].attentionOutput.bias = zeros(hidden)
      case .noUpBias:
        weights.layers[last].up.bias = zeros(network.configuration.intermediateSize)
      case .noDownBias: weights.layers[last].down.bias = zeros(hidden)
      case .noPoolerBias: weights.changeHead { pooler, _ in pooler.bias = zeros(hidden) }
      case .noClassifierBias: weights.changeHead { _, bias in bias = zeros(1) }
      case .noEmbeddingNormBias: weights.embeddingNorm.bias = zeros(hidden)
      case .noAttentionNormBias: weights.layers[0].attentionNorm.bias = zeros(hidden)
      case .noOutputNormBias: weights.layers[last].outputNorm.bias = zeros(hidden)
      case .noEmbeddingNormGain: weights.embeddingNorm.gain = ones()
      case .noAttentionNormGain: weights.layers[last].attentionNorm.gain = ones()
      case .noOutputNormGain: weights.layers[0].outputNorm.gain = ones()
      case .otherActivation:
        network.configuration.activation =
          network.configuration.activation == .gelu ? .geluTanh : .gelu
      case .otherEpsilon:
        network.configuration.normEpsilon =
          network.configuration.normEpsilon < 1e-3 ? 1e-3 : 1e-5
      case .positionOffset:
        weights.positionEmbeddings = rows(of: weights.positionEmbeddings) { max($0 - 1, 0) }
      case .noTokenTypes:
        weights.tokenTypeEmbeddings = rows(of: weights.tokenTypeEmbeddings) { _ in 0 }
      case .swappedTokenTypes:
        weights.tokenTypeEmbeddings = rows(of: weights.tokenTypeEmbeddings) { 1 - $0 }
      }
      network.weights = weights
    }

    private func filled(_ count: Int, _ value: (Int) -> Float) -> FloatBuffer {
      let buffer = FloatBuffer(count: count)
      for index in 0..<count { buffer.start[index] = value(index) }
      return buffer
    }

    /// The table with its rows in another order.
    private func rows(of table: EmbeddingTable, _ source: (Int) -> Int) -> EmbeddingTable {
      let floats = filled(table.rows * table.columns) { _ in 0 }
      for row in 0..<table.rows {
        table.copyRow(source(row), to: floats.start + row * table.columns)
      }
      let bytes = TensorBytes(count: floats.count * 4) { memory in
        memory.copyMemory(
          from: UnsafeRawBufferPointer(
            UnsafeBufferPointer(start: floats.start, count: floats.count)))
      }
      return EmbeddingTable(
        stored: bytes, type: .float32, rows: table.rows, columns: table.columns, rowScales: [])
    }
  }

  @Test(arguments: TinyModel.allCases, Mutation.allCases)
  func aMutationFailsTheGoldens(model: TinyModel, mutation: Mutation) throws {
    var network = try model.network()
    mutation.apply(to: &network)
    #expect(network.goldenError(try model.golden()) > 2 * Self.tolerance)
  }
}
