import Scoring
import Tokenization

extension RemoteEngineConfiguration {
  /// The exact counters of the models that have a tokenizer here.
  func tokenCounters() throws(Invalid) -> [String: any TokenCounter] {
    var counters: [String: any TokenCounter] = [:]
    for (index, model) in models.enumerated() {
      guard let folder = model.tokenizerFolder else { continue }
      do {
        counters[model.name] = try Tokenizer.load(folder: folder)
      } catch {
        throw Invalid(key: "models[\(index)].tokenizer_folder", message: error.message)
      }
    }
    return counters
  }
}
