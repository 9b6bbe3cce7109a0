import Foundation

/// Small files of a model's folder, read whole but never beyond a limit.
enum BoundedFile {
  /// - Throws: ``EmbeddedEngineError`` when the file cannot be read or is larger.
  static func read(_ url: URL, bytesMax: Int) throws -> Data {
    let data: Data
    do {
      let file = try FileHandle(forReadingFrom: url)
      defer { try? file.close() }
      data = try file.read(upToCount: bytesMax + 1) ?? Data()
    } catch {
      throw EmbeddedEngineError(
        code: .unreadableFile,
        message: "\(url.path) cannot be read; a model is a folder as Hugging Face has it",
        underlying: error)
    }
    guard data.count <= bytesMax else {
      throw EmbeddedEngineError(
        code: .malformedFile, message: "\(url.path) has more than \(bytesMax) bytes")
    }
    return data
  }
}
