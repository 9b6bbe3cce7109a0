import Evaluation

/// Puts a query's candidates in an order.
protocol Ranker: Sendable {
  /// How many queries it works on best at the same time.
  var queriesAtOnce: Int { get }

  func rank(_ query: EvaluationTask.JudgedQuery) async throws -> RankedQuery
}

struct RankedQuery: Sendable {
  /// Candidates that are missing count as not retrieved.
  var ranking: Ranking
  /// Documents whose text was cut to fit the model.
  var shortened = 0
}

/// The candidates as they come.
struct FirstStageRanker: Ranker {
  let queriesAtOnce = 1

  func rank(_ query: EvaluationTask.JudgedQuery) -> RankedQuery {
    RankedQuery(ranking: query.candidates)
  }
}

struct BM25Ranker: Ranker {
  let queriesAtOnce = 1
  let index: BM25Index

  func rank(_ query: EvaluationTask.JudgedQuery) -> RankedQuery {
    RankedQuery(ranking: index.rank(query.candidateIDs, for: query.text))
  }
}

/// A ranking that was made elsewhere, of which the candidates count.
struct RunRanker: Ranker {
  let queriesAtOnce = 1
  let run: RunFile

  func rank(_ query: EvaluationTask.JudgedQuery) -> RankedQuery {
    let candidates = Set(query.candidateIDs)
    let documents = run[query.id]?.documents ?? []
    return RankedQuery(ranking: Ranking(documents.filter { candidates.contains($0.id) }))
  }
}
