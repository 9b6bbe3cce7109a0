internal import Synchronization

/// Which shards are taken to be away, and whose turn it is for what any of them may take.
///
/// A shard that did not answer is asked in the background until it does, so that no caller has to
/// wait to find out.
final class ShardHealth: Sendable {
  private struct State {
    /// The background question to each shard that is away.
    var questions: [Int: Task<Void, Never>] = [:]
    var next = 0
    var isClosed = false
  }

  private let count: Int
  private let interval: Duration
  private let answers: @Sendable (_ shard: Int) async -> Bool
  private let state = Mutex(State())

  /// - Parameters:
  ///   - interval: between two questions to a shard that is away.
  ///   - answers: asks a shard whether it is there.
  init(
    count: Int, interval: Duration, answers: @escaping @Sendable (_ shard: Int) async -> Bool
  ) {
    self.count = count
    self.interval = interval
    self.answers = answers
  }

  /// All shards in the order in which to try them: those that are there take turns in being first,
  /// and those that are away come last.
  func order() -> [Int] {
    state.withLock { state in
      let first = state.next
      state.next = (first + 1) % count
      let turns = (0..<count).map { (first + $0) % count }
      return turns.filter { state.questions[$0] == nil }
        + turns.filter { state.questions[$0] != nil }
    }
  }

  func isAway(_ shard: Int) -> Bool { state.withLock { $0.questions[shard] != nil } }

  func noteAway(_ shard: Int) {
    state.withLock { state in
      guard !state.isClosed, state.questions[shard] == nil else { return }
      state.questions[shard] = Task { await ask(shard) }
    }
  }

  private func ask(_ shard: Int) async {
    while !Task.isCancelled {
      if await answers(shard) {
        return state.withLock { _ = $0.questions.removeValue(forKey: shard) }
      }
      try? await Task.sleep(for: interval)
    }
  }

  func close() {
    let questions = state.withLock { state in
      state.isClosed = true
      return Array(state.questions.values)
    }
    for question in questions { question.cancel() }
  }
}
