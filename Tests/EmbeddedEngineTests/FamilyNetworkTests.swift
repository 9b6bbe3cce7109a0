import Foundation
import TestSupport
import Testing

@testable import EmbeddedEngine

/// Every family's forward pass against transformers' class for it.
@Suite struct FamilyNetworkTests {
  @Test(arguments: FamilyModel.allCases, FamilyModel.paths)
  func logitsAreTheReferences(model: FamilyModel, path: KernelPath) throws {
    let golden = try model.golden()
    #expect(golden.count == 14)
    #expect(try model.network(path).goldenError(golden) <= FamilyModel.tolerance)
  }

  @Test(arguments: FamilyModel.allCases, FamilyModel.paths)
  func everyLayersOutputIsTheReferences(model: FamilyModel, path: KernelPath) throws {
    let network = try model.network(path)
    for (index, sequence) in try model.golden().prefix(2).enumerated() {
      var seen: [[Float]] = []
      _ = network.logits(ofSequences: [sequence.ids]) { _, hidden in seen.append(Array(hidden)) }
      let expected = try model.states(ofSequence: index)
      #expect(expected.count >= 3)
      #expect(seen.count == expected.count)
      for (layer, (hidden, expected)) in zip(seen, expected).enumerated() {
        // After the last layer there may be one row only: an encoder's first, a decoder's last.
        #expect(hidden.count == expected.count || layer == seen.count - 1)
        let rows =
          model.readsLastToken ? expected.suffix(hidden.count) : expected.prefix(hidden.count)
        let error = zip(hidden, rows).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= FamilyModel.tolerance, "sequence \(index), layer \(layer)")
      }
    }
  }

  @Test(arguments: FamilyModel.allCases, FamilyModel.paths)
  func batchedEqualsSingleBitForBit(model: FamilyModel, path: KernelPath) throws {
    let network = try model.network(path)
    let sequences = try model.golden().map(\.ids)
    let single = sequences.map { network.logits(ofSequences: [$0])[0] }
    #expect(network.logits(ofSequences: sequences) == single)
    #expect(network.logits(ofSequences: sequences.reversed()) == single.reversed())
    #expect(network.logits(ofSequences: Array(sequences[3..<8])) == Array(single[3..<8]))
  }
}
