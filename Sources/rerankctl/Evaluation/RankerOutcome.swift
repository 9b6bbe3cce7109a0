import Evaluation

/// What a ranker made of every query.
struct RankerOutcome: Sendable {
  var name: String
  /// One for each of the task's queries, in their order.
  var rankings: [Ranking]
  /// Over all queries.
  var shortenedDocuments = 0
  /// Candidates that the ranker did not rank.
  var unrankedDocuments = 0
  var duration: Duration

  static func ranking(
    _ task: EvaluationTask, by ranker: some Ranker, named name: String
  ) async throws -> RankerOutcome {
    let start = ContinuousClock.now
    var progress = EvaluationProgress(name: name, task: task)
    var ranked = [RankedQuery?](repeating: nil, count: task.queries.count)
    try await withThrowingTaskGroup(of: (Int, RankedQuery).self) { group in
      for (index, query) in task.queries.enumerated() {
        if index >= ranker.queriesAtOnce, let (done, result) = try await group.next() {
          ranked[done] = result
          progress.add(task.queries[done])
        }
        group.addTask { (index, try await ranker.rank(query)) }
      }
      for try await (done, result) in group {
        ranked[done] = result
        progress.add(task.queries[done])
      }
    }
    progress.finish()
    let all = ranked.compactMap { $0 }
    let rankedCount = all.reduce(0) { $0 + $1.ranking.documents.count }
    return RankerOutcome(
      name: name, rankings: all.map(\.ranking),
      shortenedDocuments: all.reduce(0) { $0 + $1.shortened },
      unrankedDocuments: task.pairs - rankedCount, duration: start.duration(to: .now))
  }
}
