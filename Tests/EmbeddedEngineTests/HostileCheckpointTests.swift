import Foundation
import TestSupport
import Testing

@testable import EmbeddedEngine

/// Files that were damaged or made to harm: they are refused, naming why, or read as a model whose
/// scores may be anything; nothing crashes, and nothing is read beyond its file.
@Suite struct HostileCheckpointTests {
  /// Numbers that size computations stumble over.
  private static let oddNumbers = [
    "0", "-1", "1", "3", "2147483647", "2147483648", "4294967296", "9223372036854775807",
    "-9223372036854775808", "18446744073709551615", "1e308", "1.5", "null", "\"a\"", "[]", "{}",
    "true", "NaN",
  ]

  /// The data with one thing changed: bytes flipped, cut, inserted, or a number replaced.
  private static func damaged(_ data: Data, _ random: inout SeededGenerator) -> Data {
    var bytes = [UInt8](data)
    guard !bytes.isEmpty else { return data }
    // Most of what can go wrong is in the beginning: the header.
    let limit = Bool.random(using: &random) ? bytes.count : min(bytes.count, 3000)
    let place = Int.random(in: 0..<limit, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes.removeSubrange(place...)
    case 2:
      bytes.removeSubrange(
        place..<min(bytes.count, place + Int.random(in: 1...9, using: &random)))
    case 3:
      let added = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      bytes.insert(contentsOf: added, at: place)
    default:
      // The first number from there on.
      guard let start = bytes[place...].firstIndex(where: { (0x30...0x39).contains($0) }) else {
        break
      }
      let end =
        bytes[start...].firstIndex { !(0x30...0x39).contains($0) } ?? bytes.endIndex
      let odd = oddNumbers.randomElement(using: &random) ?? "0"
      bytes.replaceSubrange(start..<end, with: odd.utf8)
    }
    return Data(bytes)
  }

  /// Loads the folder and scores a pair with it, unless it is refused.
  ///
  /// - Returns: whether it was refused.
  private func isRefused(_ folder: TemporaryFolder, seed: UInt64) -> Bool {
    do {
      let model = try EmbeddedModel.load(folder: folder.url, name: "m")
      let pair = try model.encoder.pair(
        model.encoder.query("paris", instruction: nil), document: "rain")
      var batch = TokenBatch()
      batch.appendPair { $0.append(pair) }
      _ = model.network.logits(
        of: batch, scratch: FloatBuffer(count: model.network.scratchFloats(for: batch)))
      return false
    } catch let error as EmbeddedEngineError {
      #expect(!error.message.isEmpty)
      return true
    } catch {
      Issue.record("seed \(seed): \(error) is no error of this module")
      return true
    }
  }

  @Test(arguments: [
    (FamilyModel.qwen3Classifier, "model-00001-of-00003.safetensors"),
    (.qwen3Classifier, ShardedCheckpoint.indexName), (.xlmRobertaHalf, "model.safetensors"),
    (.xlmRobertaHalf, "config.json"), (.modernBertMean, "config.json"),
    (.qwen3Untied, "config.json"), (.qwen3Tied, ModelManifest.fileName),
  ])
  func aDamagedFileIsRefusedOrRead(family: FamilyModel, file: String) throws {
    let folder = try family.copy()
    if file != ModelManifest.fileName {
      // Otherwise nearly every damage would be found by a golden pair, after all else.
      try FileManager.default.removeItem(at: folder.url.appending(path: ModelManifest.fileName))
    }
    let url = folder.url.appending(path: file)
    let sound = try Data(contentsOf: url)
    var refused = 0
    for seed in 0..<40 as Range<UInt64> {
      var random = SeededGenerator(seed: seed &* 7919 &+ UInt64(file.utf8.count))
      var data = sound
      for _ in 0...Int.random(in: 0..<3, using: &random) { data = Self.damaged(data, &random) }
      try data.write(to: url)
      if isRefused(folder, seed: seed) { refused += 1 }
    }
    #expect(refused > 10)
    try sound.write(to: url)
    #expect(!isRefused(folder, seed: .max))
  }

  /// Sizes that config.json states are believed only once the weights have shown them.
  @Test func aLargeModelWithoutTheWeightsTakesNoMemory() throws {
    let folder = try FamilyModel.qwen3Untied.copy()
    try folder.write(
      """
      {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 8192, "num_hidden_layers": 128,
       "num_attention_heads": 256, "head_dim": 512, "intermediate_size": 65536,
       "vocab_size": 2000000, "max_position_embeddings": 262144}
      """, to: "config.json")
    let error = #expect(throws: EmbeddedEngineError.self) {
      try EmbeddedModel.load(folder: folder.url, name: "m")
    }
    #expect(error?.code == .unusableTensor)
  }

  @Test(arguments: [100, 5000, 200_000])
  func deeplyNestedJSONIsRefused(depth: Int) throws {
    let nested = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    for (family, file) in [
      (FamilyModel.xlmRobertaHalf, "config.json"), (.xlmRobertaHalf, ModelManifest.fileName),
      (.qwen3Classifier, ShardedCheckpoint.indexName),
    ] {
      let folder = try family.copy()
      try folder.write(nested, to: file)
      #expect(isRefused(folder, seed: 0))
    }
    let folder = try FamilyModel.xlmRobertaHalf.copy()
    let length = withUnsafeBytes(of: UInt64(nested.utf8.count).littleEndian) { Array($0) }
    try Data(length + Array(nested.utf8)).write(to: folder.url.appending(path: "model.safetensors"))
    #expect(isRefused(folder, seed: 0))
  }

  @Test func aDataStartThatIsNotAlignedIsReadTheSame() throws {
    let family = FamilyModel.xlmRoberta
    let golden = try family.golden()
    let sound = try Data(contentsOf: family.folder.appending(path: "model.safetensors"))
    let length = sound.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    for padding in 1...3 {
      let folder = try family.copy()
      let stated = withUnsafeBytes(of: UInt64(length + padding).littleEndian) { Array($0) }
      let header = sound[8..<8 + length] + Data(repeating: 0x20, count: padding)
      try (Data(stated) + header + sound[(8 + length)...])
        .write(to: folder.url.appending(path: "model.safetensors"))
      let network = try family.network(weights: EmbeddedModel.weights(in: folder.url))
      #expect(network.goldenError(golden) <= FamilyModel.tolerance)
    }
  }
}
