import Evaluation
import Foundation

/// A moving line on a terminal: how far a ranker is, and how fast.
struct EvaluationProgress {
  private let name: String
  private let queryCount: Int
  private let started = ContinuousClock.now
  private var shown = ContinuousClock.now
  private let isShown = isatty(STDERR_FILENO) == 1
  private var queries = 0
  private var pairs = 0

  init(name: String, task: EvaluationTask) {
    self.name = name
    queryCount = task.queries.count
  }

  /// Shown at most ten times a second, so that printing costs nothing.
  mutating func add(_ query: EvaluationTask.JudgedQuery) {
    queries += 1
    pairs += query.candidates.documents.count
    guard isShown, shown.duration(to: .now) >= .milliseconds(100) else { return }
    shown = .now
    let seconds = max(started.duration(to: .now) / .seconds(1), 0.001)
    let left = Double(queryCount - queries) * seconds / Double(queries)
    write(
      "\r\u{1B}[K\(name): \(queries) of \(queryCount) queries, \(Int(Double(pairs) / seconds)) "
        + "pairs/s, \(Quantity.time(milliseconds: UInt64(left * 1000))) left")
  }

  func finish() {
    if isShown { write("\r\u{1B}[K") }
  }

  private func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}
