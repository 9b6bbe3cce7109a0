import Evaluation
import Foundation

/// Where rankings are kept as TREC runs, a file a ranker.
struct RunFolder {
  let path: String

  /// Makes the folder where it is missing; files of the same name are replaced.
  ///
  /// - Throws: ``InputError`` when a file cannot be written, `EvaluationError` for ids that a run
  ///   cannot hold.
  func save(_ outcomes: [RankerOutcome], of task: EvaluationTask) throws {
    var taken: Set<String> = []
    for outcome in outcomes {
      let name = Self.fileName(for: outcome.name, taken: &taken)
      var lines = ""
      for (query, ranking) in zip(task.queries, outcome.rankings) {
        lines += try ranking.runLines(query: query.id, tag: name)
      }
      let file = URL(filePath: path, directoryHint: .isDirectory).appending(path: name + ".trec")
      do {
        try FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: true)
        try Data(lines.utf8).write(to: file, options: .atomic)
      } catch {
        throw InputError("--save-run: \(file.path) cannot be written: \(error)")
      }
    }
  }

  /// "folder:models/my model" → "folder_models_my_model"
  static func fileName(for ranker: String, taken: inout Set<String>) -> String {
    let plain = String(
      ranker.map { character in
        let isPlain = character.isASCII && (character.isLetter || character.isNumber)
        return isPlain || "-.".contains(character) ? character : "_"
      })
    var name = plain
    var number = 2
    while !taken.insert(name).inserted {
      name = "\(plain)-\(number)"
      number += 1
    }
    return name
  }
}
