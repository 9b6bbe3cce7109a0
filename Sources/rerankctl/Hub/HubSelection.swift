import Foundation

/// Which files of a repository the engine reads: everything else stays where it is.
struct HubSelection {
  private let model: HubModel
  private let files: [String: HubFile]
  private let configuration: HubConfiguration

  static let indexName = "model.safetensors.index.json"
  private static let weightsName = "model.safetensors"

  init(_ entries: [HubTreeEntry], of model: HubModel, _ configuration: HubConfiguration) {
    self.model = model
    self.configuration = configuration
    files = entries.compactMap(\.file).reduce(into: [:]) { $0[$1.name] = $1 }
  }

  /// What is read first, and tells whether the rest is wanted: configuration, tokenizer, and the
  /// index of the shards.
  ///
  /// - Throws: ``HubError`` `.unusable` for a repository that has no such model.
  func smallFiles(tokenizerOnly: Bool) throws -> [HubFile] {
    var names: [String] = []
    if !tokenizerOnly {
      guard files["config.json"] != nil else {
        throw unusable("no config.json: is it a model for transformers?")
      }
      names = ["config.json", "rerankd-model.json"]
      if files[Self.weightsName] == nil {
        guard files[Self.indexName] != nil else {
          throw unusable(
            files["pytorch_model.bin"] != nil || files["pytorch_model.bin.index.json"] != nil
              ? "its weights only as pytorch_model.bin, which is a program rather than data: take a "
                + "revision or a model with model.safetensors"
              : "no model.safetensors: the engine reads no other weights")
        }
        names.append(Self.indexName)
      }
    }
    names.append("tokenizer_config.json")
    if files["tokenizer.json"] != nil {
      names.append("tokenizer.json")
    } else if files["vocab.txt"] != nil {
      names.append("vocab.txt")
    } else {
      throw unusable("neither tokenizer.json nor vocab.txt: the engine needs one of them")
    }
    let found = names.compactMap { files[$0] }
    for file in found where file.bytes > configuration.smallFileBytesMax {
      throw unusable(
        "a \(file.name) of \(Quantity.bytes(file.bytes)); "
          + "\(Quantity.bytes(configuration.smallFileBytesMax)) are allowed")
    }
    return found
  }

  /// - Parameter index: the content of ``indexName``, where the weights are in shards.
  func weights(index: Data?) throws -> [HubFile] {
    var found: [HubFile] = []
    if let index {
      for name in try shards(in: index) {
        guard let file = files[name] else {
          throw unusable("no \(name), which its \(Self.indexName) names")
        }
        found.append(file)
      }
    } else if let file = files[Self.weightsName] {
      found.append(file)
    }
    let bytes = found.reduce(UInt64(0)) { $0.addingReportingOverflow($1.bytes).partialValue }
    guard bytes <= configuration.modelBytesMax,
      found.allSatisfy({ $0.bytes <= configuration.modelBytesMax })
    else {
      throw unusable(
        "over \(Quantity.bytes(configuration.modelBytesMax)) of weights, which is the limit")
    }
    return found
  }

  private struct Index: Decodable {
    var weightMap: [String: String]

    enum CodingKeys: String, CodingKey {
      case weightMap = "weight_map"
    }
  }

  /// In their order. The index comes from anywhere: its names lead to no other folder, and are
  /// printed.
  private func shards(in index: Data) throws -> [String] {
    guard let index = try? JSONDecoder().decode(Index.self, from: index) else {
      throw unusable("a \(Self.indexName) that is no index of shards")
    }
    let names = Set(index.weightMap.values).sorted()
    guard (1...configuration.shardsMax).contains(names.count) else {
      throw unusable("\(names.count) shards; 1 to \(configuration.shardsMax) work")
    }
    for name in names {
      guard name.wholeMatch(of: /[A-Za-z0-9_][A-Za-z0-9._-]*\.safetensors/) != nil else {
        throw unusable("an index with the shard \(name.debugDescription)")
      }
    }
    return names
  }

  private func unusable(_ what: String) -> HubError {
    HubError(.unusable, "\(model) has \(what)")
  }
}
