import Foundation
import RemoteEngine
import Scoring
import Synchronization
import TestSupport
import Testing

/// A server that fails at random, from a seed, and jobs that get through all the same.
struct FaultServerTests {
  @Test(arguments: 1...12)
  func everyJobComesThroughAndNoScoreIsPaidForTwice(seed: Int) async throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let count = Int.random(in: 1...80, using: &random)
    let poison = Set(
      (0..<count).filter { _ in Int.random(in: 0..<40, using: &random) == 0 })
    let texts = EngineFixture.texts(count, poison: poison)
    let server = FaultServer(seed: UInt64(seed))
    let hub = try FakeHub(fallback: .chosen { server.answer($0) })
    let admission = RecordingAdmission()
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.documentsMax = Int.random(in: 1...30, using: &random)
        $0.concurrentRequestsMax = Int.random(in: 1...4, using: &random)
      }
    ) { engine in
      let ended = try await whole(texts, engine, admission)
      #expect(ended.failures.subtracting(poison) == [])
      // Poison that stood alone in its request may have used up the job's attempts.
      #expect(ended.scores.count + ended.failures.count == count || !ended.isWhole)
      let expected = EngineFixture.scores(texts)
      for (index, score) in ended.scores { #expect(score == expected[index]) }
      #expect(Set(ended.scores.keys).isDisjoint(with: poison))
      if poison.isEmpty { #expect(ended.isWhole) }
    }
    #expect(admission.record.permits == hub.rerankCount)
    // What was answered well was taken, whatever became of the attempt.
    #expect(server.scoredTwice.isEmpty)
  }

  private struct Ended {
    var scores: [Int: Float] = [:]
    var failures: Set<Int> = []
    var isWhole = false
  }

  /// Attempt after attempt, as a worker makes them: what is known is not asked again.
  private func whole(
    _ texts: [String], _ engine: RemoteRerankEngine, _ admission: RecordingAdmission
  ) async throws -> Ended {
    var ended = Ended()
    for _ in 0..<60 {
      let missing = texts.indices.filter { ended.scores[$0] == nil }
      var request = EngineFixture.request(missing.map { texts[$0] })
      request.isolatesFailures = true
      request.admission = admission
      do {
        let result = try await engine.score(request, progress: {})
        let failed = Set(result.failures.map(\.index))
        let scored = missing.indices.filter { !failed.contains($0) }
        for (index, score) in zip(scored, result.scores) {
          ended.scores[missing[index]] = score.relevanceScore
        }
        ended.failures = Set(failed.map { missing[$0] })
        ended.isWhole = true
        return ended
      } catch let error as EngineError {
        #expect(error.isRetryable, "\(error)")
        #expect(!error.message.contains(FakeHub.token))
        for (index, score) in error.partialScores?.scores ?? [:] {
          ended.scores[missing[index]] = score.relevanceScore
        }
      }
    }
    return ended
  }
}

/// Answers well more often than not. Its failures of the moment differ in their words, as real ones
/// do; poison fails alike each time.
private final class FaultServer: Sendable {
  private struct State {
    var random: SeededGenerator
    var number = 0
    var scored: [String: Int] = [:]
  }

  private let state: Mutex<State>

  init(seed: UInt64) {
    state = Mutex(State(random: SeededGenerator(seed: seed)))
  }

  /// Documents that were scored in more than one answer.
  var scoredTwice: [String] {
    state.withLock { $0.scored.filter { $0.value > 1 }.keys.sorted() }
  }

  func answer(_ request: FakeHub.Request) -> FakeHub.Answer {
    if request.body.contains("POISON") { return .internalError }
    let json = try? JSONSerialization.jsonObject(with: Data(request.body.utf8))
    let documents = (json as? [String: Any])?["documents"] as? [String] ?? []
    return state.withLock { state in
      state.number += 1
      if documents.count > 20 { return .failure(413, message: "too many documents") }
      switch Int.random(in: 0..<24, using: &state.random) {
      case 0: return .tooManyRequests(retryAfter: "1")
      case 1: return .failure(500, message: "fault \(state.number)")
      case 2: return .unavailable
      case 3: return .resetBeforeHead
      case 4: return .resetInBody
      case 5: return .brokenJSON
      case 6: return .altered { $0.dropLast() }
      case 7: return .altered { $0 + $0.prefix(1) }
      case 8: return .altered { $0.map { .init(index: $0.index + 1, text: "", score: 0) } }
      case 9: return .unauthorized
      default:
        for document in documents where document.hasPrefix("document ") {
          state.scored[document, default: 0] += 1
        }
        return .scores
      }
    }
  }
}
