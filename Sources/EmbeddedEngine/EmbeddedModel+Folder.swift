import Foundation

/// The files of a Hugging Face folder.
extension EmbeddedModel {
  static let configurationBytesMax = 1 << 20

  static func readConfiguration(in folder: URL) throws -> NetworkConfiguration {
    let url = folder.appending(path: "config.json")
    let json = try BoundedFile.read(url, bytesMax: configurationBytesMax)
    return try understanding(url.path) {
      try JSONDecoder().decode(NetworkConfiguration.self, from: json)
    }
  }

  static func weights(in folder: URL) throws -> any WeightSource {
    func exists(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: folder.appending(path: name).path)
    }
    if exists("model.safetensors") {
      return try SafetensorsFile(url: folder.appending(path: "model.safetensors"))
    }
    if exists(ShardedCheckpoint.indexName) { return try ShardedCheckpoint(folder: folder) }
    let why =
      if exists("pytorch_model.bin") {
        "it has only pytorch_model.bin, which is a program rather than data; save it as safetensors"
      } else {
        "the file is missing"
      }
    throw EmbeddedEngineError(
      code: .unreadableFile, message: "\(folder.path) has no model.safetensors: \(why)")
  }
}
