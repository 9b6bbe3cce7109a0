import EmbeddedEngine
import Evaluation
import Scoring

/// A cross-encoder on this machine's cores.
struct EmbeddedRanker: Ranker {
  /// One more than is scored, so that no lane waits for the next query to be prepared.
  let queriesAtOnce = 2
  private let engine: EmbeddedEngine
  private let model: EngineModel
  private let budget: TokenBudget
  private let instruction: String?
  private let corpus: Corpus

  /// Longer than any list of candidates takes: nobody waits for an answer here.
  private static let timePerQuery = Duration.seconds(24 * 3600)

  /// - Throws: `EmbeddedEngineError` for a number of lanes that is out of range.
  init(model: EmbeddedModel, lanes: Int?, instruction: String?, corpus: Corpus) throws {
    var configuration = EmbeddedEngineConfiguration()
    if let lanes { configuration.laneCount = lanes }
    engine = try EmbeddedEngine(models: [model], configuration: configuration)
    self.model = engine.models()[0]
    budget = TokenBudget(
      model: self.model, counter: engine.tokenCounter(forModel: model.name), policy: .truncate)
    self.instruction = instruction
    self.corpus = corpus
  }

  func rank(_ query: EvaluationTask.JudgedQuery) async throws -> RankedQuery {
    let ids = query.candidateIDs
    let request = ScoringRequest(
      model: model.name, query: RerankContent(text: query.text),
      documents: ids.map { RerankContent(text: corpus[$0] ?? "") }, instruction: instruction,
      remaining: Self.timePerQuery)
    let report: BudgetReport
    do {
      report = try budget.check(request)
    } catch {
      throw InputError("query \(query.id): \(error)")
    }
    let accepted = report.acceptedDocuments
    guard !accepted.isEmpty else { return RankedQuery(ranking: Ranking([])) }
    let result = try await engine.score(report.acceptedRequest, progress: {})
    let documents = zip(accepted, result.scores).map { index, score in
      ScoredDocument(
        id: ids[index], score: score.rankingKey,
        probability: result.scoreKind == .sigmoid ? score.relevanceScore : nil)
    }
    return RankedQuery(ranking: Ranking(documents), shortened: report.truncatedDocuments.count)
  }
}
