import CEngineKernels
import Scoring
import Testing
import Tokenization

@testable import EmbeddedEngine

@Suite struct Qwen3Tests {
  static let models = [FamilyModel.qwen3Tied, .qwen3Untied, .qwen3Classifier]

  private static func network(
    _ model: FamilyModel, _ weights: (any WeightSource)? = nil
  ) throws -> Qwen3Network {
    try #require(model.network(weights: weights ?? model.weights()) as? Qwen3Network)
  }

  @Test func bothSpellingsOfTheConfigurationAreRead() throws {
    let old = try Self.network(.qwen3Tied).configuration
    #expect(old.theta == 1_000_000)
    #expect(old.headSize == 16)
    #expect(old.keyValueHeadCount == 2)
    #expect(old.tiesWordEmbeddings)
    #expect(old.scoreKind == .sigmoid)
    let new = try Self.network(.qwen3Untied).configuration
    #expect(new.theta == 5000)
    #expect(new.headSize == 8)
    #expect(!new.tiesWordEmbeddings)
    #expect(try Self.network(.qwen3Classifier).configuration.head == .classifier)
  }

  /// What the goldens must see: each makes the network wrong in one place.
  enum Mutation: String, CaseIterable {
    case otherEpsilon, otherTheta, otherHeadScale, noQueryNorm, noKeyNorm, noAttentionNorm
    case noFeedForwardNorm, noFinalNorm, swappedNorms, swappedHalves, swappedAnswers

    func apply(to network: inout Qwen3Network) {
      let configuration = network.configuration
      func ones(_ count: Int) -> FloatBuffer {
        let buffer = FloatBuffer(count: count)
        buffer.start.update(repeating: 1, count: buffer.count)
        return buffer
      }
      switch self {
      case .otherEpsilon: network.configuration.normEpsilon = 5e-3
      case .otherTheta:
        network.rotation = RotaryTable(
          positions: 512, headSize: configuration.headSize, theta: configuration.theta * 2)
      case .otherHeadScale:
        for index in 0..<configuration.headSize {
          network.weights.layers[1].queryNorm.start[index] *= 1.05
        }
      case .noQueryNorm: network.weights.layers[0].queryNorm = ones(configuration.headSize)
      case .noKeyNorm: network.weights.layers[1].keyNorm = ones(configuration.headSize)
      case .noAttentionNorm:
        network.weights.layers[0].attentionNorm = ones(configuration.hiddenSize)
      case .noFeedForwardNorm:
        network.weights.layers[1].feedForwardNorm = ones(configuration.hiddenSize)
      case .noFinalNorm: network.weights.finalNorm = ones(configuration.hiddenSize)
      case .swappedNorms:
        let norms = network.weights.layers[0]
        network.weights.layers[0].queryNorm = norms.keyNorm
        network.weights.layers[0].keyNorm = norms.queryNorm
      case .swappedHalves: break
      case .swappedAnswers:
        for index in 0..<configuration.hiddenSize { network.weights.score.start[index] *= -1 }
      }
    }
  }

  @Test(arguments: models, Mutation.allCases)
  func aMutationFailsTheGoldens(model: FamilyModel, mutation: Mutation) throws {
    let weights: any WeightSource =
      mutation == .swappedHalves
      ? RenamedTensors(source: try model.weights(), swapped: ["gate_proj", "up_proj"])
      : try model.weights()
    var network = try Self.network(model, weights)
    mutation.apply(to: &network)
    #expect(network.goldenError(try model.golden()) > 2 * FamilyModel.tolerance)
  }

  @Test(arguments: models, FamilyModel.paths)
  func aSharedPrefixChangesNoBit(model: FamilyModel, path: KernelPath) throws {
    let network = try model.network(path)
    let beginning = (0..<37).map { Int32($0 * 5 % 200) }
    let sequences = [
      beginning + [7, 8, 9], beginning + [7], Array(beginning[..<20]) + [1, 2, 3, 4], beginning,
      [250, 251], beginning + (0..<120).map { Int32($0 * 3 % 250) },
    ]
    let alone = network.logits(ofSequences: sequences)
    #expect(Set(alone).count == sequences.count)
    for count in [1, 16, 17, 37] {
      let tokens = Array(beginning[..<count])
      let scratch = FloatBuffer(count: network.scratchFloats(tokens: count, longest: count))
      let prefix = try #require(network.prefix(of: tokens, scratch: scratch, progress: {}))
      #expect(network.logits(ofSequences: sequences, after: prefix) == alone, "\(count) shared")
    }
  }

  @Test func onlyWhatAPairBeginsWithIsShared() throws {
    let prefix = SharedPrefix(tokens: [1, 2, 3], layers: [])
    #expect(prefix.count(sharedWith: [1, 2, 3, 4]) == 3)
    #expect(prefix.count(sharedWith: [1, 2, 4, 3]) == 2)
    #expect(prefix.count(sharedWith: [2, 1]) == 0)
    // The last token is the pair's own.
    #expect(prefix.count(sharedWith: [1, 2, 3]) == 2)
    #expect(prefix.count(sharedWith: [1]) == 0)
    var batch = TokenBatch()
    batch.appendPair { $0.append(ids: [1, 2, 3, 4]) }
    batch.appendPair(after: prefix) { $0.append(ids: [1, 2, 3, 5, 6]) }
    #expect(batch.tokens.ids == [1, 2, 3, 4, 5, 6])
    #expect(batch.bounds == [0, 4, 6])
    #expect(batch.sharedCount(ofPair: 0) == 0)
    #expect(batch.sharedCount(ofPair: 1) == 3)
    #expect(batch.longestPair == 5)
    batch.removeAll()
    #expect(batch.pairCount == 0)
    #expect(batch.longestPair == 0)
  }

  @Test func encodersShareNothing() throws {
    for model in [FamilyModel.xlmRoberta, .modernBertMean] {
      let network = try model.network()
      let scratch = FloatBuffer(count: network.scratchFloats(tokens: 3, longest: 3))
      #expect(network.prefix(of: [5, 6, 7], scratch: scratch, progress: {}) == nil)
    }
  }
}
