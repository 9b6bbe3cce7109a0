import Foundation

/// Weights in several safetensors files, and the index that says which tensor is in which.
///
/// The index may come from anywhere, as the files may: a shard is a file of the same folder, and
/// index and shards must name the same tensors.
struct ShardedCheckpoint: WeightSource {
  static let indexName = "model.safetensors.index.json"
  static let indexBytesMax = 16 << 20
  static let shardsMax = 1024

  private struct Index: Decodable {
    var weightMap: [String: String]

    enum CodingKeys: String, CodingKey {
      case weightMap = "weight_map"
    }
  }

  let label = indexName
  let tensors: [String: StoredTensor]
  private let shards: [String: SafetensorsFile]
  private let shardOfTensor: [String: String]

  init(folder: URL) throws {
    let json = try BoundedFile.read(
      folder.appending(path: Self.indexName), bytesMax: Self.indexBytesMax)
    let index: Index
    do {
      index = try JSONDecoder().decode(Index.self, from: json)
    } catch {
      throw Self.malformed("is not an index of shards", error)
    }
    let names = Set(index.weightMap.values)
    guard !names.isEmpty, names.count <= Self.shardsMax else {
      throw Self.malformed("names \(names.count) files; 1 to \(Self.shardsMax) work")
    }
    var shards: [String: SafetensorsFile] = [:]
    for name in names.sorted() {
      guard Self.isPlainFileName(name) else {
        throw Self.malformed(
          "names the file \(name.debugDescription); a shard is a .safetensors file of the same "
            + "folder")
      }
      shards[name] = try SafetensorsFile(url: folder.appending(path: name))
    }
    var tensors: [String: StoredTensor] = [:]
    for (name, shard) in shards {
      for tensor in shard.tensors.values {
        guard index.weightMap[tensor.name] == name else {
          throw Self.malformed(
            "does not say that tensor \(tensor.name) is in \(name), where it is")
        }
        tensors[tensor.name] = tensor
      }
    }
    if let absent = index.weightMap.keys.sorted().first(where: { tensors[$0] == nil }) {
      throw Self.malformed(
        "says that tensor \(absent) is in \(index.weightMap[absent] ?? ""), where it is not")
    }
    self.tensors = tensors
    self.shards = shards
    shardOfTensor = index.weightMap
  }

  func bytes(of tensor: StoredTensor) throws -> TensorBytes {
    guard let name = shardOfTensor[tensor.name], let shard = shards[name] else {
      throw Self.malformed("has no tensor \(tensor.name)")
    }
    return try shard.bytes(of: tensor)
  }

  /// Without a path in it, in whatever system's spelling.
  private static func isPlainFileName(_ name: String) -> Bool {
    name.hasSuffix(".safetensors") && !name.hasPrefix(".")
      && !name.unicodeScalars.contains { "/\\:\0".unicodeScalars.contains($0) }
  }

  private static func malformed(
    _ what: String, _ underlying: (any Error)? = nil
  ) -> EmbeddedEngineError {
    EmbeddedEngineError(
      code: .malformedFile, message: "\(indexName) \(what)", underlying: underlying)
  }
}
