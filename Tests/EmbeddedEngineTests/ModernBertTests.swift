import CEngineKernels
import Scoring
import Testing

@testable import EmbeddedEngine

@Suite struct ModernBertTests {
  static let models = [FamilyModel.modernBertFirst, .modernBertMean]

  @Test func bothSpellingsOfTheConfigurationAreRead() throws {
    let old = try #require(FamilyModel.modernBertFirst.network() as? ModernBertNetwork)
    #expect(old.configuration.layersAreGlobal == [true, false, false, true])
    #expect(old.configuration.globalTheta == 160_000)
    #expect(old.configuration.localTheta == 10_000)
    #expect(old.configuration.localReach == 4)
    #expect(old.configuration.pooling == .firstToken)
    #expect(old.contextTokens == 128)
    let new = try #require(FamilyModel.modernBertMean.network() as? ModernBertNetwork)
    #expect(new.configuration.layersAreGlobal == [true, false, false])
    #expect(new.configuration.globalTheta == 20_000)
    #expect(new.configuration.localTheta == 500)
    #expect(new.configuration.pooling == .mean)
  }

  /// What the goldens must see: each makes the network wrong in one place.
  enum Mutation: String, CaseIterable {
    case noClassifierBias, noHeadNormGain, noFinalNormGain, noAttentionNorm, firstAttentionNorm
    case tanhGelu, otherEpsilon, otherGlobalTheta, otherLocalTheta, swappedThetas
    case widerWindow, narrowerWindow, firstLayerLocal, otherPooling, otherHeadActivation
    case swappedHalves

    func apply(to network: inout ModernBertNetwork) {
      let configuration = network.configuration
      func rotation(_ theta: Float) -> RotaryTable {
        RotaryTable(positions: 128, headSize: configuration.headSize, theta: theta)
      }
      func ones() -> FloatBuffer {
        let buffer = FloatBuffer(count: configuration.hiddenSize)
        buffer.start.update(repeating: 1, count: buffer.count)
        return buffer
      }
      switch self {
      case .noClassifierBias: network.weights.classifierBias = FloatBuffer(count: 1)
      case .noHeadNormGain: network.weights.headNorm.gain = ones()
      case .noFinalNormGain: network.weights.finalNorm.gain = ones()
      case .noAttentionNorm: network.weights.layers[1].attentionNorm = nil
      case .firstAttentionNorm:
        network.weights.layers[0].attentionNorm = network.weights.layers[1].attentionNorm
      case .tanhGelu: network.configuration.activation = .geluTanh
      case .otherEpsilon: network.configuration.normEpsilon = 5e-3
      case .otherGlobalTheta: network.globalRotation = rotation(configuration.globalTheta * 2)
      case .otherLocalTheta: network.localRotation = rotation(configuration.localTheta * 2)
      case .swappedThetas: swap(&network.globalRotation, &network.localRotation)
      case .widerWindow: network.configuration.localReach += 1
      case .narrowerWindow: network.configuration.localReach -= 1
      case .firstLayerLocal: network.configuration.layersAreGlobal[0] = false
      case .otherPooling:
        network.configuration.pooling = configuration.pooling == .mean ? .firstToken : .mean
      case .otherHeadActivation:
        network.configuration.classifierActivation =
          configuration.classifierActivation == .gelu ? .relu : .gelu
      case .swappedHalves: break
      }
    }
  }

  @Test(arguments: models, Mutation.allCases)
  func aMutationFailsTheGoldens(model: FamilyModel, mutation: Mutation) throws {
    let source =
      mutation == .swappedHalves
      ? SwappedHalves(source: try model.weights(), suffix: "mlp.Wi.") : try model.weights()
    var network = try #require(model.network(weights: source) as? ModernBertNetwork)
    mutation.apply(to: &network)
    #expect(network.goldenError(try model.golden()) > 2 * FamilyModel.tolerance)
  }

  @Test func everyBiasIsSeen() throws {
    let source = try FamilyModel.modernBertMean.weights()
    let biases = source.tensors.keys.filter { $0.hasSuffix(".bias") }.sorted()
    // Of three layers six, less the first one's attention norm; and five about them.
    #expect(biases.count == 3 * 6 - 1 + 5)
    let golden = try FamilyModel.modernBertMean.golden()
    for bias in biases {
      let network = try FamilyModel.modernBertMean.network(
        weights: ZeroedTensor(source: source, name: bias))
      #expect(network.goldenError(golden) > 2 * FamilyModel.tolerance, "\(bias)")
    }
  }
}
