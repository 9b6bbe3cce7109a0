import Foundation
import RerankdProtocol
import Scoring
import SwiftProtobuf

/// What earlier attempts at a job have scored, so that this one pays only for what is missing.
///
/// Scores hold for the engine and the model that made them. The engine's name is known before; by
/// which model it scores only its answer tells. So the rest is scored first, and when the answer
/// comes from another model, or is of another kind, what was known is scored as well.
struct KnownScores: Sendable {
  typealias Score = @Sendable (ScoringRequest) async throws -> ScoringResult

  private var known: Scoring.PartialScores?

  /// - Parameters:
  ///   - bytes: a serialized rerankd.v1.PartialScores; empty for a first attempt. What cannot be
  ///     read or belongs to another engine is left aside.
  ///   - texts: how many documents the engine is to score.
  init(_ bytes: Data, engine: String, texts: Int) {
    guard !bytes.isEmpty, let message = try? RerankdProtocol.PartialScores(serializedBytes: bytes),
      message.engine == engine, message.texts == UInt32(clamping: texts),
      let kind = ScoreKind(rawValue: message.scoreKind)
    else { return }
    var scores: [Int: DocumentScore] = [:]
    for score in message.scores where Int(score.index) < texts && score.rankingKey.isFinite {
      scores[Int(score.index)] = DocumentScore(
        relevanceScore: score.relevanceScore, rankingKey: score.rankingKey)
    }
    guard !scores.isEmpty else { return }
    known = Scoring.PartialScores(
      scores: scores, scoreKind: kind, model: message.model,
      usage: message.hasUsage ? TokenUsage(message.usage) : nil)
  }

  /// Has the engine score what is not known, and puts both together.
  ///
  /// - Throws: what the engine throws; its partial scores then hold the known ones too.
  func complete(_ request: ScoringRequest, _ score: Score) async throws -> ScoringResult {
    guard let known else { return try await score(request) }
    let missing = request.documents.indices.filter { known.scores[$0] == nil }
    guard !missing.isEmpty else {
      return result(known, failures: [], count: request.documents.count)
    }
    let rest: ScoringResult
    do {
      rest = try await score(request.taking(missing))
    } catch var error as EngineError {
      error.partialScores = union(known, error.partialScores, at: missing)
      throw error
    }
    try rest.check(count: missing.count)
    guard rest.model == known.model, rest.scoreKind == known.scoreKind else {
      return try await restart(request, with: rest, at: missing, score)
    }
    var all = known
    var failures: [DocumentFailure] = []
    all.add(rest, at: missing, failures: &failures)
    all.usage = known.usage + rest.usage
    return result(all, failures: failures, count: request.documents.count, as: rest)
  }

  /// The answer came from elsewhere than what was known.
  private func restart(
    _ request: ScoringRequest, with rest: ScoringResult, at missing: [Int], _ score: Score
  ) async throws -> ScoringResult {
    var all = Scoring.PartialScores(
      scores: [:], scoreKind: rest.scoreKind, model: rest.model, usage: rest.usage)
    var failures: [DocumentFailure] = []
    all.add(rest, at: missing, failures: &failures)
    let others = request.documents.indices.filter { known?.scores[$0] != nil }
    let again: ScoringResult
    do {
      again = try await score(request.taking(others))
    } catch var error as EngineError {
      error.partialScores = union(all, error.partialScores, at: others)
      throw error
    }
    try again.check(count: others.count)
    guard again.model == rest.model, again.scoreKind == rest.scoreKind else {
      throw EngineError(
        code: .internal,
        message: "The engine scored one job by two models, \"\(rest.model)\" and "
          + "\"\(again.model)\".",
        isRetryable: true)
    }
    all.add(again, at: others, failures: &failures)
    all.usage = rest.usage + again.usage
    return result(all, failures: failures, count: request.documents.count, as: rest)
  }

  /// What was known before an attempt failed, and what it had scored by then.
  private func union(
    _ known: Scoring.PartialScores, _ new: Scoring.PartialScores?, at places: [Int]
  ) -> Scoring.PartialScores {
    guard let new else { return known }
    var placed = new
    placed.scores = [:]
    for (index, score) in new.scores where places.indices.contains(index) {
      placed.scores[places[index]] = score
    }
    guard new.model == known.model, new.scoreKind == known.scoreKind else { return placed }
    placed.scores.merge(known.scores) { new, _ in new }
    placed.usage = known.usage + new.usage
    return placed
  }

  /// - Parameter rest: the engine's latest answer, where there was one.
  private func result(
    _ all: Scoring.PartialScores, failures: [DocumentFailure], count: Int,
    as rest: ScoringResult? = nil
  ) -> ScoringResult {
    var result = ScoringResult(
      scores: (0..<count).compactMap { all.scores[$0] }, usage: all.usage, model: all.model,
      scoreKind: all.scoreKind, precision: rest?.precision)
    result.failures = failures.sorted { $0.index < $1.index }
    return result
  }
}

extension Scoring.PartialScores {
  /// - Parameter places: where the documents that were scored lie in the whole request.
  fileprivate mutating func add(
    _ result: ScoringResult, at places: [Int], failures: inout [DocumentFailure]
  ) {
    let failed = Set(result.failures.map(\.index))
    let scored = places.indices.filter { !failed.contains($0) }
    for (index, score) in zip(scored, result.scores) { scores[places[index]] = score }
    failures += result.failures.filter { places.indices.contains($0.index) }
      .map { DocumentFailure(index: places[$0.index], error: $0.error) }
  }

  /// For the queue to keep.
  /// - Parameter texts: how many documents the engine was to score.
  func serialized(engine: String, texts: Int) -> Data {
    let message = RerankdProtocol.PartialScores.with {
      $0.model = model
      $0.engine = engine
      $0.scoreKind = scoreKind.rawValue
      $0.texts = UInt32(clamping: texts)
      $0.scores = scores.sorted { $0.key < $1.key }.map { index, score in
        .with {
          $0.index = UInt32(index)
          $0.relevanceScore = score.relevanceScore
          $0.rankingKey = score.rankingKey
        }
      }
      if let usage { $0.usage = Usage(usage) }
    }
    do {
      return try message.serializedBytes()
    } catch {
      // Numbers and two names always serialize; without scores the next attempt begins anew.
      return Data()
    }
  }
}

extension ScoringResult {
  /// A wrong number of scores would be given to the wrong documents.
  fileprivate func check(count: Int) throws(EngineError) {
    guard scores.count + failures.count == count else {
      throw EngineError(
        code: .internal,
        message: "the engine gave \(scores.count) scores and \(failures.count) failures for "
          + "\(count) documents",
        isRetryable: false)
    }
  }
}

extension ScoringRequest {
  fileprivate func taking(_ places: [Int]) -> ScoringRequest {
    var request = self
    request.documents = places.map { documents[$0] }
    return request
  }
}

extension TokenUsage {
  fileprivate static func + (left: TokenUsage, right: TokenUsage) -> TokenUsage {
    TokenUsage(
      promptTokens: left.promptTokens.addingReportingOverflow(right.promptTokens).partialValue,
      totalTokens: left.totalTokens.addingReportingOverflow(right.totalTokens).partialValue,
      estimated: left.estimated || right.estimated)
  }
}

extension TokenUsage? {
  /// nil where one of the two is not known: the worker then counts the whole job itself.
  fileprivate static func + (left: TokenUsage?, right: TokenUsage?) -> TokenUsage? {
    guard let left, let right else { return nil }
    return left + right
  }
}
