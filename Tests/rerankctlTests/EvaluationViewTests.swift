import Evaluation
import Foundation
import Testing

@testable import rerankctl

@Suite struct EvaluationViewTests {
  private static func ranking(_ ids: String...) -> Ranking {
    Ranking(
      ids.enumerated().map { place, id in
        ScoredDocument(id: id, score: Float(-place), probability: id == "good" ? 0.9 : 0.2)
      })
  }

  private static func view(
    baseline: String? = nil, withCalibration: Bool = false, perQuery: Bool = false
  ) throws -> EvaluationView {
    let queries = ["q1", "q2"].map { id in
      EvaluationTask.JudgedQuery(
        id: id, text: id, grades: ["good": 1], candidates: ranking("bad", "good"))
    }
    let task = EvaluationTask(
      queries: queries, candidateSource: "candidates.trec", queriesWithoutCandidates: 3)
    let first = RankerOutcome(
      name: "first-stage", rankings: [ranking("bad", "good"), ranking("bad", "good")],
      duration: .milliseconds(40))
    let other = RankerOutcome(
      name: "folder:/a/b", rankings: [ranking("good", "bad"), ranking("good")],
      shortenedDocuments: 2, unrankedDocuments: 1, duration: .milliseconds(12_340))
    return EvaluationView(
      task, [first, other], metrics: [Metric(.ndcg, at: 10), Metric(.mrr, at: 10)],
      relevanceLevel: 1, baseline: baseline, bootstrap: try Bootstrap(resamples: 100),
      withCalibration: withCalibration, perQuery: perQuery)
  }

  @Test func theTextHasMeansDifferencesAndWhatToKnow() throws {
    let text = try Self.view(withCalibration: true).text
    #expect(
      text == """
        queries     2
        candidates  4 in all, from candidates.trec

        RANKER       NDCG@10  MRR@10     ECE   BRIER  SECONDS
        first-stage   0.6309  0.5000  0.1500  0.0250      0.0
        folder:…/b    1.0000  1.0000  0.1333  0.0200     12.3

        Difference to first-stage and its 95 % interval (paired bootstrap, 100 resamples):

        RANKER      METRIC   DIFFERENCE      LOW     HIGH  VERDICT
        folder:…/b  ndcg@10     +0.3691  +0.3691  +0.3691  ahead
        folder:…/b  mrr@10      +0.5000  +0.5000  +0.5000  ahead

        left out: 0 queries without judgements, 3 without candidates
        folder:…/b: candidates that were shortened to fit the model: 2
        folder:…/b: candidates that were not ranked, so not retrieved: 1

        """)
  }

  @Test func pathsAreShortenedWhereTheirEndsDiffer() {
    func rows(_ names: String...) -> [String] {
      let task = EvaluationTask(candidateSource: "")
      let outcomes = names.map { RankerOutcome(name: $0, rankings: [], duration: .zero) }
      guard let bootstrap = try? Bootstrap(resamples: 1) else { return [] }
      let view = EvaluationView(
        task, outcomes, metrics: [Metric(.mrr, at: 1)], relevanceLevel: 1, baseline: nil,
        bootstrap: bootstrap, withCalibration: false, perQuery: false)
      return view.text.split(separator: "\n").dropFirst(3).prefix(names.count).map { line in
        String(line.prefix { $0 != " " })
      }
    }
    #expect(rows("folder:/a/b", "queue:org/b", "bm25") == ["folder:…/b", "queue:org/b", "bm25"])
    #expect(rows("folder:x/y/b", "folder:z/y/b") == ["folder:x/y/b", "folder:z/y/b"])
    #expect(rows("folder:b", "run:/b/", "folder:/") == ["folder:b", "run:…/b", "folder:/"])
  }

  @Test func anotherBaselineTurnsTheDifferencesRound() throws {
    let view = try Self.view(baseline: "folder:/a/b")
    #expect(view.baseline == "folder:/a/b")
    #expect(view.rankers[1].differences == nil)
    #expect(view.rankers[0].differences?.map(\.verdict) == ["behind", "behind"])
    #expect(view.rankers[0].differences?[1].mean == -0.5)
  }

  @Test func jsonHasEveryQueryWhereThatIsAskedFor() throws {
    #expect(try Self.view().rankers[0].perQuery == nil)
    let view = try Self.view(perQuery: true)
    #expect(view.rankers[1].perQuery?.map(\.query) == ["q1", "q2"])
    #expect(view.rankers[0].perQuery?[0].values["mrr@10"] == 0.5)
    let json = try Printer.json(view, pretty: false)
    #expect(json.contains(#""query":"q1","values":{"mrr@10":0.5,"ndcg@10":0.63"#))
    #expect(json.contains(#""queries_without_candidates":3"#))
  }

  @Test func aVerdictNeedsAnIntervalOnOneSideOfZero() {
    func verdict(_ low: Double, _ high: Double) -> String {
      EvaluationView.EstimateView(
        Metric(.ndcg, at: 10), Bootstrap.Estimate(mean: (low + high) / 2, low: low, high: high)
      ).verdict
    }
    #expect(verdict(0.01, 0.02) == "ahead")
    #expect(verdict(-0.02, -0.01) == "behind")
    #expect(verdict(-0.01, 0.02) == "undecided")
    #expect(verdict(0, 0.02) == "undecided")
    #expect(verdict(0, 0) == "same")
  }
}
