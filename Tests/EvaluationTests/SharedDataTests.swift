import Foundation
import TestSupport
import Testing

@testable import Evaluation

/// Whole collections, against figures from elsewhere.
@Suite struct SharedDataTests {
  private func read<Value: LineReadable>(_ type: Value.Type, _ path: String) throws -> Value {
    let text = try String(contentsOf: SharedData.data.appending(path: path), encoding: .utf8)
    var value = type.init()
    for (index, line) in text.split(separator: "\n").enumerated() {
      try value.read(String(line), at: "\(path):\(index + 1)")
    }
    return value
  }

  /// The figures: the formula in twenty lines of Python on the same terms, and pytrec_eval. Those
  /// that come with the data (0.349, 0.388, 0.663) are of another BM25, and lower.
  @Test(
    .needsSharedData("dev/med/corpus.jsonl"),
    arguments: [("cisi", 0.3796), ("cranfield", 0.4168), ("med", 0.6677)])
  func bm25RanksTheClassicCollectionsAsTheFormulaDoes(name: String, known: Double) throws {
    let index = try BM25Index(of: read(Corpus.self, "dev/\(name)/corpus.jsonl"))
    let queries = try read(QueryList.self, "dev/\(name)/queries.jsonl")
    let judgements = try read(Judgements.self, "dev/\(name)/qrels.tsv")
    let metric = Metric(.ndcg, at: 10)
    let values = queries.queries.compactMap { query in
      judgements[query.id].map { grades in
        metric.value(of: index.search(query.text, depth: 100), grades: grades)
      }
    }
    let mean = values.reduce(0, +) / Double(values.count)
    #expect(abs(mean - known) < 0.0005, "\(name): nDCG@10 \(mean), elsewhere \(known)")
  }

  @Test(.needsSharedData("dev/trec-dl21/candidates.jsonl"))
  func theGivenOrderOfWebPassagesHasTheGainOfTrecEval() throws {
    let candidates = try read(RunFile.self, "dev/trec-dl21/candidates.jsonl")
    let queries = try read(QueryList.self, "dev/trec-dl21/queries.jsonl")
    let judgements = try read(Judgements.self, "dev/trec-dl21/qrels.tsv")
    let values = try queries.queries.map { query in
      Metric(.ndcg, at: 10).value(
        of: try #require(candidates[query.id]), grades: try #require(judgements[query.id]))
    }
    #expect(values.count == 53)
    #expect(abs(values.reduce(0, +) / 53 - 0.4638075899503837) < 1e-6)
  }
}
