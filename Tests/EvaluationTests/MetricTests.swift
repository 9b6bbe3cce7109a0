import Testing

@testable import Evaluation

@Suite struct MetricTests {
  private struct Golden: Decodable {
    var judgements: [String: [String: Int]]
    var run: [String: [String: Double]]
    /// By relevance level, query and metric.
    var expected: [String: [String: [String: Double]]]
  }

  private static func golden() throws -> Golden {
    try GoldenFile.read("metrics.json", as: Golden.self)
  }

  private static func ranking(_ scores: [String: Double]) -> Ranking {
    Ranking(scores.map { ScoredDocument(id: $0.key, score: Float($0.value)) })
  }

  @Test(arguments: [1, 2]) func everyQueryHasTheMetricsOfTrecEval(level: Int) throws {
    let golden = try Self.golden()
    let expected = try #require(golden.expected["\(level)"])
    #expect(expected.count == 38)
    for (query, metrics) in expected {
      let ranking = Self.ranking(try #require(golden.run[query]))
      let grades = try #require(golden.judgements[query])
      #expect(metrics.count == 12)
      for (name, value) in metrics {
        let metric = try #require(Metric(name))
        let ours = metric.value(of: ranking, grades: grades, relevanceLevel: level)
        #expect(abs(ours - value) < 1e-9, "\(name) of \(query)")
      }
    }
  }

  @Test func aQueryWithoutARelevantDocumentHasZeroAndCounts() throws {
    let golden = try Self.golden()
    let ones = try #require(golden.expected["1"])
    // Made so by the script: trec_eval lists them.
    for query in ["q10", "q20", "q30", "q40"] {
      #expect(try #require(ones[query]).values.allSatisfy { $0 == 0 })
    }
  }

  @Test func equalScoresAreOrderedByIdDescendingInBytes() {
    let ids = ["d10", "d9", "é", "D2", "zz"]
    let ranking = Ranking(ids.map { ScoredDocument(id: $0, score: 1) })
    #expect(ranking.documents.map(\.id) == ["é", "zz", "d9", "d10", "D2"])
  }

  @Test func aHandMadeRankingHasItsGain() {
    let ranking = Self.ranking(["a": 3, "b": 2, "c": 1])
    let grades = ["b": 2, "c": 1, "elsewhere": 3]
    // (2 / log2 3 + 1 / log2 4) / (3 / log2 2 + 2 / log2 3 + 1 / log2 4)
    let ndcg = Metric(.ndcg, at: 10).value(of: ranking, grades: grades)
    #expect(abs(ndcg - (1.2618595 + 0.5) / (3 + 1.2618595 + 0.5)) < 1e-7)
    #expect(Metric(.mrr, at: 10).value(of: ranking, grades: grades) == 0.5)
    #expect(Metric(.mrr, at: 1).value(of: ranking, grades: grades) == 0)
    #expect(Metric(.recall, at: 2).value(of: ranking, grades: grades) == 1.0 / 3)
  }

  @Test func metricsAreNamedWithTheirCutoff() {
    #expect(Metric("NDCG@20") == Metric(.ndcg, at: 20))
    #expect(Metric(.recall, at: 100).description == "recall@100")
    for text in ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "map@10", "ndcg@10@10", ""] {
      #expect(Metric(text) == nil)
    }
  }
}
