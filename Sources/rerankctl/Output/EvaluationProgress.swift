import Evaluation

/// A moving line on a terminal: how far a ranker is, and how fast.
struct EvaluationProgress {
  private let name: String
  private let queryCount: Int
  private let started = ContinuousClock.now
  private var line = ProgressLine(shownAt: .now)
  private var queries = 0
  private var pairs = 0

  init(name: String, task: EvaluationTask) {
    self.name = name
    queryCount = task.queries.count
  }

  mutating func add(_ query: EvaluationTask.JudgedQuery) {
    queries += 1
    pairs += query.candidates.documents.count
    if line.isDue { line.show(text) }
  }

  func finish() {
    line.clear()
  }

  private var text: String {
    let seconds = max(started.duration(to: .now) / .seconds(1), 0.001)
    let left = Double(queryCount - queries) * seconds / Double(queries)
    return "\(name): \(queries) of \(queryCount) queries, \(Int(Double(pairs) / seconds)) pairs/s, "
      + "\(Quantity.time(milliseconds: UInt64(left * 1000))) left"
  }
}
