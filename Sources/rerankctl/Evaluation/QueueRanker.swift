import Evaluation
import RerankdClient
import RerankdProtocol

/// A model behind a running queue, whatever engine serves it there.
struct QueueRanker: Ranker {
  /// Enough for a few workers; each query waits behind the others within the call's time.
  let queriesAtOnce = 4
  let client: ShardedClient
  let model: String
  let instruction: String?
  let corpus: Corpus

  func rank(_ query: EvaluationTask.JudgedQuery) async throws -> RankedQuery {
    // A queue refuses a document without text.
    let documents = query.candidateIDs.compactMap { id in
      corpus[id].flatMap { $0.isEmpty ? nil : (id: id, text: $0) }
    }
    guard !documents.isEmpty else { return RankedQuery(ranking: Ranking([])) }
    var request = RerankRequest(query: query.text, documents: documents.map(\.text))
    request.instruction = instruction ?? ""
    request.overBudget = .truncate
    request.documentFailure = .perDocument
    let result: RerankResult
    do {
      result = try await client.rerank(request, model: model)
    } catch {
      throw CallError(error.code, "query \(query.id): \(error.message)")
    }
    return RankedQuery(
      ranking: Ranking(scored(result, ids: documents.map(\.id))),
      shortened: result.truncatedDocuments.count)
  }

  /// The queue orders by what engines know beyond the relevance score, which may be rounded to a
  /// tie: so the place in its order is the score here.
  private func scored(_ result: RerankResult, ids: [String]) -> [ScoredDocument] {
    result.results.enumerated().compactMap { place, ranked in
      guard ids.indices.contains(Int(ranked.index)) else { return nil }
      return ScoredDocument(
        id: ids[Int(ranked.index)], score: Float(result.results.count - place),
        probability: result.scoreKind == "sigmoid" ? ranked.relevanceScore : nil)
    }
  }
}
