import EmbeddedEngine
import Foundation

/// What a pair takes with a model, where the configuration does not say.
struct ModelWindow {
  var contextTokens: Int
  var reservedTokens: Int
  /// Why a folder could not say; its numbers are then a BERT's.
  var problem: String?

  /// Of a folder, its configuration and its manifest are read: the catalogue must not take long to
  /// load, and the folder need not be on the queue's machine.
  init(of source: ModelSettings.Source) {
    switch source {
    case .builtIn:
      contextTokens = EmbeddedModel.builtInContextTokens
      reservedTokens = EmbeddedModel.builtInReservedTokens
    case .backend:
      // The reference hub's window and prompt.
      contextTokens = 32_768
      reservedTokens = 200
    case .folder(let path):
      contextTokens = 512
      reservedTokens = 3
      do {
        let folder = URL(filePath: path, directoryHint: .isDirectory)
        guard FileManager.default.fileExists(atPath: folder.path) else {
          problem = "\(path) is not on this machine"
          return
        }
        let window = try ModelFiles.window(ofFolder: folder)
        contextTokens = window.contextTokens
        if let reserved = window.reservedTokens {
          reservedTokens = reserved
        } else {
          problem = "what its prompt takes depends on the tokenizer, and no manifest says it"
        }
      } catch {
        problem = "\(error)"
      }
    }
  }
}
