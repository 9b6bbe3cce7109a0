import ArgumentParser
import EmbeddedEngine
import Foundation

/// A model on this machine, as the command line names it: "builtin", or a folder.
struct ModelLocation: ExpressibleByArgument, CustomStringConvertible {
  var files: ModelFiles
  var description: String

  static let builtIn = "builtin"

  init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    description = argument
    files =
      argument == Self.builtIn
      ? .builtIn : .folder(URL(filePath: argument, directoryHint: .isDirectory))
  }

  /// What it is called where nobody says: the folder's own name.
  var name: String {
    switch files {
    case .builtIn: Self.builtIn
    case .folder(let folder): folder.standardizedFileURL.lastPathComponent
    }
  }

  /// Whether there is such a model; a name may also be one of the queue's catalogue.
  var exists: Bool {
    switch files {
    case .builtIn: true
    case .folder(let folder):
      FileManager.default.fileExists(atPath: folder.appending(path: "config.json").path)
    }
  }
}
