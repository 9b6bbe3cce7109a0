import Scoring
import Testing

@testable import EmbeddedEngine

@Suite struct ScoringJobTests {
  @Test func chunksHoldEveryDocumentOnceAndStayWithinTheLimit() {
    let counts = (0..<200).map { 1 + ($0 * 37) % 120 }
    let chunks = ScoringJob.chunks(tokenCounts: counts, laneCount: 2, chunkTokensMax: 512)
    #expect(chunks.flatMap { $0 }.sorted() == Array(0..<200))
    #expect(chunks.allSatisfy { $0.reduce(0) { $0 + counts[$1] } <= 512 })
    #expect(chunks.count < 40)
  }

  @Test func theLongestDocumentsComeFirst() {
    let chunks = ScoringJob.chunks(
      tokenCounts: [10, 300, 20, 300, 5], laneCount: 1, chunkTokensMax: 310)
    #expect(chunks == [[1], [3], [2, 0, 4]])
  }

  @Test func aDocumentAboveTheLimitGoesAlone() {
    let chunks = ScoringJob.chunks(tokenCounts: [500, 3, 4], laneCount: 1, chunkTokensMax: 100)
    #expect(chunks == [[0], [2, 1]])
  }

  @Test func aSmallJobIsSpreadOverTheLanes() {
    let chunks = ScoringJob.chunks(
      tokenCounts: Array(repeating: 10, count: 8), laneCount: 4, chunkTokensMax: 1024)
    #expect(chunks.map(\.count) == [2, 2, 2, 2])
  }
}
