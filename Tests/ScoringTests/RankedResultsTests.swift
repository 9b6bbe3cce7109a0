import Scoring
import Testing

struct RankedResultsTests {
  private func scores(_ keys: [Float]) -> [DocumentScore] {
    keys.map { DocumentScore(relevanceScore: min(max($0, 0), 1), rankingKey: $0) }
  }

  @Test func ordersByRankingKeyEvenWhereRelevanceSaturates() throws {
    let ranked = try RankedResults(scores: scores([20, -3, 30, 0.5]), documentCount: 4)
    #expect(ranked.entries.map(\.index) == [2, 0, 3, 1])
    #expect(ranked.entries.map(\.relevanceScore) == [1, 1, 0.5, 0])
  }

  @Test func tiesKeepTheRequestsOrder() throws {
    let ranked = try RankedResults(scores: scores([0, 1, 0, -0.0, 1]), documentCount: 5)
    #expect(ranked.entries.map(\.index) == [1, 4, 0, 2, 3])
  }

  @Test(arguments: [(0, 3), (1, 1), (2, 2), (9, 3)])
  func keepsTheBestTopN(topN: Int, count: Int) throws {
    let ranked = try RankedResults(scores: scores([1, 3, 2]), documentCount: 3, topN: topN)
    #expect(ranked.entries.map(\.index) == Array([1, 2, 0].prefix(count)))
  }

  @Test func namesDocumentsByTheirPlaceInTheRequest() throws {
    let ranked = try RankedResults(scores: scores([1, 2]), indices: [3, 7], documentCount: 9)
    #expect(ranked.entries.map(\.index) == [7, 3])
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func scoreThatIsNoNumberIsTheEnginesFault(value: Float) {
    for score in [
      DocumentScore(relevanceScore: value, rankingKey: 0),
      DocumentScore(relevanceScore: 0, rankingKey: value),
    ] {
      let error = #expect(throws: EngineError.self) {
        try RankedResults(scores: scores([1]) + [score], documentCount: 2)
      }
      #expect(error?.code == .internal)
      #expect(error?.message.contains("document 1") == true)
    }
  }

  @Test func everyDocumentNeedsAScore() {
    #expect(throws: EngineError.self) {
      try RankedResults(scores: scores([1]), documentCount: 2)
    }
    #expect(throws: EngineError.self) {
      try RankedResults(scores: scores([1, 2]), indices: [0], documentCount: 2)
    }
  }
}
