import ArgumentParser
import EmbeddedEngine
import Evaluation
import Foundation
import RerankdClient

/// A ranker as the command line names it.
enum RankerChoice: Equatable, Sendable {
  case firstStage
  case bm25
  case builtIn
  /// A Hugging Face folder.
  case folder(String)
  /// A model in a queue's catalogue.
  case queue(String)
  /// A TREC run.
  case run(String)

  var readsTexts: Bool {
    switch self {
    case .firstStage, .run: false
    case .bm25, .builtIn, .folder, .queue: true
    }
  }

  var needsQueue: Bool {
    if case .queue = self { true } else { false }
  }
}

extension RankerChoice: ExpressibleByArgument, CustomStringConvertible {
  init?(argument: String) {
    switch argument {
    case "first-stage": self = .firstStage
    case "bm25": self = .bm25
    case "builtin": self = .builtIn
    default:
      guard let colon = argument.firstIndex(of: ":") else { return nil }
      let rest = String(argument[argument.index(after: colon)...])
      guard !rest.isEmpty else { return nil }
      switch argument[..<colon] {
      case "folder": self = .folder(rest)
      case "queue": self = .queue(rest)
      case "run": self = .run(rest)
      default: return nil
      }
    }
  }

  var description: String {
    switch self {
    case .firstStage: "first-stage"
    case .bm25: "bm25"
    case .builtIn: "builtin"
    case .folder(let path): "folder:\(path)"
    case .queue(let model): "queue:\(model)"
    case .run(let path): "run:\(path)"
    }
  }

  var defaultValueDescription: String { description }

  static var allValueStrings: [String] {
    ["first-stage", "bm25", "builtin", "folder:PATH", "queue:MODEL", "run:FILE"]
  }
}

/// What rankers are told beside the queries and their candidates.
struct RankerSettings {
  var instruction: String?
  var lanes: Int?
  /// Of builtin and folder: rankers.
  var precision: PrecisionSetting
  /// Set where a ranker needs a queue.
  var client: ShardedClient?
}

extension RankerChoice {
  /// - Throws: ``InputError`` for a folder or a file that cannot be used.
  func makeRanker(
    for task: EvaluationTask, _ settings: RankerSettings
  ) throws -> any Ranker {
    switch self {
    case .firstStage: return FirstStageRanker()
    case .bm25: return BM25Ranker(index: try required(task.bm25))
    case .run(let path): return RunRanker(run: try RunFile(path: path))
    case .builtIn:
      return try embedded(task, settings) {
        try EmbeddedModel.builtIn(precision: settings.precision)
      }
    case .folder(let path):
      let folder = URL(filePath: path, directoryHint: .isDirectory)
      return try embedded(task, settings) {
        try EmbeddedModel.load(folder: folder, name: path, precision: settings.precision)
      }
    case .queue(let model):
      return QueueRanker(
        client: try required(settings.client), model: model, instruction: settings.instruction,
        corpus: try required(task.corpus))
    }
  }

  private func embedded(
    _ task: EvaluationTask, _ settings: RankerSettings, load: () throws -> EmbeddedModel
  ) throws -> EmbeddedRanker {
    do {
      return try EmbeddedRanker(
        model: load(), lanes: settings.lanes, instruction: settings.instruction,
        corpus: required(task.corpus))
    } catch let error as EmbeddedEngineError {
      throw InputError("--ranker \(self): \(error)")
    }
  }

  private func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw InputError("--ranker \(self) needs --corpus") }
    return value
  }
}
