import RerankdProtocol
import Scoring
import SwiftProtobuf

/// What of a job an engine is to score, and what the scores make of the job.
///
///     documents ─budget▶ passages ─engine▶ scores ─▶ one score or one failure a document
///
/// Documents that cannot be scored have no passage; one that was split into windows has several,
/// and has the score of the best of them. So positions differ between the job and the engine's
/// request, and this type alone knows both.
struct ScoringPlan {
  /// For the engine: a document for each passage. Empty where no document can be scored.
  let request: ScoringRequest
  /// What each document of ``request`` is of the job's.
  let passages: [BudgetReport.Passage]
  private let report: BudgetReport
  private let topN: Int

  /// - Parameter scoring: the job's documents, all of them.
  /// - Throws: ``EngineError`` INVALID_ARGUMENT when the request cannot be scored, or when one of
  ///   its documents cannot and the job asks for all.
  init(
    _ job: RerankRequest, scoring: ScoringRequest, model: EngineModel, counter: any TokenCounter,
    windowLimits: WindowLimits
  ) throws(EngineError) {
    let policy: TokenBudget.Policy =
      switch job.overBudget {
      case .truncate: .truncate
      case .windows: .windows
      case .reject, .UNRECOGNIZED: .reject
      }
    let budget = TokenBudget(
      model: model, counter: counter, policy: policy,
      documentTokensMax: job.maxTokensPerDoc == 0 ? nil : Int(job.maxTokensPerDoc),
      windowLimits: windowLimits)
    report = try budget.check(scoring)
    if job.documentFailure == .failJob, let rejection = report.rejection { throw rejection }
    passages = report.passages
    topN = Int(job.topN)
    var request = report.acceptedRequest
    request.isolatesFailures = job.documentFailure == .perDocument
    self.request = request
  }

  /// What metrics are told of a result.
  struct Figures {
    var scoredDocuments = 0
    var failedDocuments = 0
    var truncatedDocuments = 0
    var windows = 0
    var promptTokens = 0
    var imageTokens = 0
    var totalTokens = 0
  }

  func figures(of result: RerankResult) -> Figures {
    Figures(
      scoredDocuments: report.acceptedDocuments.count + report.refusedDocuments.count
        - result.failedDocuments.count,
      failedDocuments: result.failedDocuments.count,
      truncatedDocuments: report.truncatedDocuments.count,
      windows: passages.count { $0.window != nil }, promptTokens: report.promptTokens,
      imageTokens: report.imageTokens, totalTokens: Int(clamping: result.usage.totalTokens))
  }

  /// - Parameter scored: of ``request``; nil where there was nothing to score.
  /// - Throws: ``EngineError`` INTERNAL when the engine's scores are not one number for each
  ///   passage.
  func result(
    of scored: ScoringResult?, model: EngineModel, engine: String
  ) throws(EngineError) -> RerankResult {
    let documents = try documents(scored)
    let ranked = try RankedResults(
      scores: documents.scored.map(\.score), indices: documents.scored.map(\.index),
      documentCount: report.request.documents.count, topN: topN)
    let usage = scored?.usage ?? report.usage()
    return RerankResult.with { result in
      result.results = ranked.entries.map { entry in
        .with {
          $0.index = UInt32(entry.index)
          $0.relevanceScore = entry.relevanceScore
        }
      }
      result.usage = Usage(usage)
      result.model = scored?.model ?? model.name
      result.engine = engine
      result.scoreKind = (scored?.scoreKind ?? .sigmoid).rawValue
      result.precision = scored?.precision ?? ""
      result.truncatedDocuments = report.truncatedDocuments.map { UInt32($0) }
      result.failedDocuments = documents.failed
      result.windowedDocuments = documents.scored.compactMap(\.windowed)
    }
  }

  /// A document's score, and which of its windows has it.
  private struct ScoredDocument {
    var index: Int
    var score: DocumentScore
    /// nil where it was scored as a whole.
    var windowed: WindowedDocument?
  }

  private func documents(
    _ scored: ScoringResult?
  ) throws(EngineError) -> (scored: [ScoredDocument], failed: [FailedDocument]) {
    let outcomes = try outcomes(scored)
    var documents: [ScoredDocument] = []
    var failed = report.refusedDocuments.map { refused in
      FailedDocument(refused.index, refused.code, refused.message)
    }
    var next = 0
    while next < passages.count {
      let (first, index) = (next, passages[next].document)
      next = passages[first...].firstIndex { $0.document != index } ?? passages.count
      do throws(EngineError) {
        let (best, score) = try best(of: outcomes[first..<next])
        let windowed = passages[best].window.map { window in
          WindowedDocument.with {
            $0.index = UInt32(index)
            $0.windows = UInt32(next - first)
            $0.bestWindow = UInt32(best - first)
            $0.bestStartByte = UInt64(window.lowerBound)
            $0.bestEndByte = UInt64(window.upperBound)
          }
        }
        documents.append(ScoredDocument(index: index, score: score, windowed: windowed))
      } catch {
        failed.append(FailedDocument(index, error.code, error.message))
      }
    }
    failed.sort { $0.index < $1.index }
    return (documents, failed)
  }

  /// The passage with the highest ranking key, the first of equal ones.
  ///
  /// - Throws: the failure of one of them: what a document says may lie in the window that is
  ///   missing.
  private func best(
    of own: ArraySlice<Result<DocumentScore, EngineError>>
  ) throws(EngineError) -> (passage: Int, score: DocumentScore) {
    var best: (passage: Int, score: DocumentScore)?
    for (passage, outcome) in zip(own.indices, own) {
      switch outcome {
      case .success(let score):
        if let known = best, score.orderKey <= known.score.orderKey { continue }
        best = (passage, score)
      case .failure(var error):
        if own.count > 1 {
          error.message = "window \(passage - own.startIndex) of \(own.count): \(error.message)"
        }
        throw error
      }
    }
    guard let best else { preconditionFailure("a document without a passage") }
    return best
  }

  /// Of each passage.
  private func outcomes(
    _ scored: ScoringResult?
  ) throws(EngineError) -> [Result<DocumentScore, EngineError>] {
    let failures = Dictionary(
      (scored?.failures ?? []).map { ($0.index, $0.error) }, uniquingKeysWith: { first, _ in first }
    )
    let scores = scored?.scores ?? []
    guard scores.count + failures.count == passages.count,
      failures.keys.allSatisfy(passages.indices.contains)
    else {
      throw EngineError(
        code: .internal,
        message: "the engine gave \(scores.count) scores and \(failures.count) failures for "
          + "\(passages.count) passages",
        isRetryable: false)
    }
    var next = scores.makeIterator()
    return passages.indices.compactMap { passage in
      if let error = failures[passage] { return .failure(error) }
      return next.next().map { .success($0) }
    }
  }
}

extension DocumentScore {
  /// What is no number comes before all numbers, so that the ranking meets it and refuses it.
  fileprivate var orderKey: Float {
    relevanceScore.isFinite && rankingKey.isFinite ? rankingKey : .infinity
  }
}

extension FailedDocument {
  fileprivate init(_ index: Int, _ code: EngineError.Code, _ message: String) {
    self.init()
    self.index = UInt32(index)
    self.code = code.rawValue
    self.message = message
  }
}
