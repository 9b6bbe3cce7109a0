import Foundation
import TestSupport
import Testing

@testable import EmbeddedEngine

@Suite struct ShardedCheckpointTests {
  private static let shard = "model-00002-of-00003.safetensors"

  /// What loading says once the index has been changed.
  private func error(
    changing change: (inout [String: String], TemporaryFolder) throws -> Void
  ) throws -> EmbeddedEngineError? {
    let folder = try FamilyModel.qwen3Classifier.copy()
    let url = folder.url.appending(path: ShardedCheckpoint.indexName)
    var index =
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] ?? [:]
    var map = index["weight_map"] as? [String: String] ?? [:]
    try change(&map, folder)
    index["weight_map"] = map
    try JSONSerialization.data(withJSONObject: index).write(to: url)
    return #expect(throws: EmbeddedEngineError.self) {
      try EmbeddedModel.load(folder: folder.url, name: "m")
    }
  }

  @Test(arguments: [
    "../model.safetensors", "/etc/model.safetensors", "a/b.safetensors", "a\\b.safetensors",
    ".safetensors", "..safetensors", "c:x.safetensors", "x\u{0}.safetensors", "weights.bin", "",
  ])
  func aShardIsAFileOfTheSameFolder(name: String) throws {
    let error = try error { map, _ in map["score.weight"] = name }
    #expect(error?.code == .malformedFile)
    #expect(error?.message.contains("names the file") == true, "\(error?.message ?? "")")
  }

  @Test func anAbsentShardIsNamed() throws {
    let error = try error { map, _ in map["score.weight"] = "model-00009-of-00003.safetensors" }
    #expect(error?.code == .unreadableFile)
    #expect(error?.message.contains("model-00009-of-00003.safetensors") == true)
  }

  @Test func indexAndShardsMustNameTheSameTensors() throws {
    let unnamed = try error { map, _ in map["score.weight"] = nil }
    #expect(unnamed?.message.contains("does not say that tensor score.weight") == true)
    let elsewhere = try error { map, _ in
      map["score.weight"] =
        map["score.weight"] == Self.shard ? "model-00001-of-00003.safetensors" : Self.shard
    }
    #expect(elsewhere?.message.contains("does not say that tensor score.weight") == true)
    let absent = try error { map, _ in map["score.bias"] = Self.shard }
    #expect(absent?.message.contains("says that tensor score.bias is in \(Self.shard)") == true)
  }

  @Test func anIndexThatIsNoneIsAnError() throws {
    let empty = try error { map, _ in map = [:] }
    #expect(empty?.message.contains("names 0 files") == true)
    let many = try error { map, _ in
      for shard in 0...ShardedCheckpoint.shardsMax { map["\(shard)"] = "\(shard).safetensors" }
    }
    #expect(many?.message.contains("1 to 1024 work") == true)
    let folder = try FamilyModel.qwen3Classifier.copy()
    try folder.write("[]", to: ShardedCheckpoint.indexName)
    let error = #expect(throws: EmbeddedEngineError.self) {
      try EmbeddedModel.load(folder: folder.url, name: "m")
    }
    #expect(error?.message.contains("is not an index of shards") == true)
  }
}
