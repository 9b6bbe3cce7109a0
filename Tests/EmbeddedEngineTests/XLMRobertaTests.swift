import CEngineKernels
import Scoring
import Testing

@testable import EmbeddedEngine

/// What of XLM-RoBERTa differs from BERT. Its other weights are BERT's, whose mutations are tested.
@Suite struct XLMRobertaTests {
  @Test func theContextLacksTheRowsBeforeTheFirstPosition() throws {
    #expect(try FamilyModel.xlmRoberta.network().contextTokens == 128)
    #expect(try FamilyModel.xlmRoberta.network().scoreKind == .sigmoid)
    #expect(try FamilyModel.xlmRobertaHalf.network().scoreKind == .raw)
  }

  @Test func aSequenceMayFillTheContext() throws {
    let network = try FamilyModel.xlmRoberta.network()
    let ids = (0..<128).map { Int32($0 % 50 + 4) }
    #expect(network.logits(ofSequences: [ids])[0].isFinite)
  }

  @Test func constantPositionsAreNoticedAndLeftAlone() throws {
    let network = try #require(FamilyModel.xlmRoberta.network() as? BertNetwork)
    #expect(network.weights.surplus == ["roberta.embeddings.position_ids"])
  }

  enum Mutation: String, CaseIterable {
    case earlierPosition, laterPosition, noHeadBias, noClassifierBias, noQueryBias, noTypeRow
    case tanhGelu, otherEpsilon

    func apply(to network: inout BertNetwork) {
      let hidden = network.configuration.hiddenSize
      switch self {
      case .earlierPosition: network.configuration.firstPosition -= 1
      case .laterPosition: network.configuration.firstPosition += 1
      case .noHeadBias: network.weights.changeHead { pooler, _ in pooler.bias = nil }
      case .noClassifierBias:
        network.weights.changeHead { _, bias in bias = FloatBuffer(count: 1) }
      case .noQueryBias: network.weights.layers[1].query.bias = nil
      case .noTypeRow:
        let zeros = TensorBytes(count: hidden * 4) {
          $0.initializeMemory(as: UInt8.self, repeating: 0)
        }
        network.weights.tokenTypeEmbeddings = EmbeddingTable(
          stored: zeros, type: .float32, rows: 1, columns: hidden, rowScales: [])
      case .tanhGelu: network.configuration.activation = .geluTanh
      case .otherEpsilon: network.configuration.normEpsilon = 5e-3
      }
    }
  }

  @Test(arguments: [FamilyModel.xlmRoberta, .xlmRobertaHalf], Mutation.allCases)
  func aMutationFailsTheGoldens(model: FamilyModel, mutation: Mutation) throws {
    var network = try #require(model.network() as? BertNetwork)
    mutation.apply(to: &network)
    #expect(network.goldenError(try model.golden()) > 2 * FamilyModel.tolerance)
  }
}
