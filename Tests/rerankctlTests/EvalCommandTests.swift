import Foundation
import TestSupport
import Testing

@testable import rerankctl

/// The built command, on a made-up collection.
@Suite struct EvalCommandTests {
  private struct Report: Decodable {
    struct Ranker: Decodable {
      struct Estimate: Decodable {
        var metric: String
        var mean: Double
      }

      struct Calibration: Decodable {
        var pairs: Int
        var brierScore: Double
      }

      var name: String
      var metrics: [Estimate]
      var differences: [Estimate]?
      var calibration: Calibration?
      var unrankedDocuments: Int
    }

    var queries: Int
    var rankers: [Ranker]
  }

  private func eval(_ arguments: [String]) async throws -> (
    exit: ChildProcess.Exit, output: String, error: String
  ) {
    let process = try ChildProcess("rerankctl", arguments: ["eval"] + arguments)
    let exit = try await process.waitForExit(timeout: .seconds(120))
    return (exit, process.text(of: .output), process.text(of: .error))
  }

  @Test func bm25AndTheBuiltInModelRankTheSameCandidates() async throws {
    let set = try SmallSet()
    let runs = set.folder.path("runs")
    let files = ["--queries", set.queries, "--qrels", set.qrels, "--corpus", set.corpus]
    let ended = try await eval(
      files + [
        "--ranker", "bm25", "--ranker", "builtin", "--calibration", "--save-run", runs,
        "--metric", "ndcg@10", "--metric", "mrr@1", "--output", "json",
      ])
    try #require(ended.exit == .status(0), "\(ended.error)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let report = try decoder.decode(Report.self, from: Data(ended.output.utf8))
    #expect(report.queries == 2)
    try #require(report.rankers.map(\.name) == ["bm25", "builtin"])
    #expect(report.rankers[0].metrics.map(\.metric) == ["ndcg@10", "mrr@1"])
    // BM25 falls for the document that says France three times; the model does not.
    #expect(report.rankers[0].metrics[0].mean < 1)
    #expect(report.rankers[1].metrics[0].mean > report.rankers[0].metrics[0].mean)
    #expect(report.rankers[0].differences == nil)
    #expect(report.rankers[1].differences?.count == 2)
    #expect(report.rankers[0].calibration == nil)
    #expect(report.rankers[1].calibration?.pairs == 4)

    // What was saved is a ranker of its own, with the same values.
    let saved = runs + "/builtin.trec"
    let again = try await eval(
      files.dropLast(2) + [
        "--candidates", runs + "/bm25.trec", "--ranker", "run:\(saved)", "--ranker", "first-stage",
        "--metric", "ndcg@10", "--output", "jsonl",
      ])
    try #require(again.exit == .status(0), "\(again.error)")
    let second = try decoder.decode(Report.self, from: Data(again.output.utf8))
    #expect(second.rankers[0].metrics[0].mean == report.rankers[1].metrics[0].mean)
    #expect(second.rankers[1].metrics[0].mean == report.rankers[0].metrics[0].mean)
  }

  @Test func documentsWithoutTextAreNotRankedAndLongOnesAreShortened() async throws {
    let set = try SmallSet()
    let long = String(repeating: "paris france capital ", count: 400)
    let corpus = try set.folder.write(
      #"{"_id": "empty", "text": ""}"# + "\n" + #"{"_id": "long", "text": "\#(long)"}"#,
      to: "odd.jsonl")
    let candidates = try set.folder.write(
      #"{"query-id": "paris", "doc-ids": ["empty", "long"]}"#, to: "odd-candidates.jsonl")
    let ended = try await eval([
      "--queries", set.queries, "--qrels", set.qrels, "--corpus", corpus, "--candidates",
      candidates, "--ranker", "builtin",
    ])
    try #require(ended.exit == .status(0), "\(ended.error)")
    #expect(ended.output.contains("builtin: candidates that were shortened to fit the model: 1"))
    #expect(ended.output.contains("builtin: candidates that were not ranked, so not retrieved: 1"))
  }

  @Test(arguments: [
    (["--ranker", "magic"], 64, "first-stage"),
    (["--ranker", "bm25", "--ranker", "bm25"], 64, "given twice"),
    (["--ranker", "bm25", "--baseline", "builtin"], 64, "none of the rankers"),
    (["--metric", "map@10"], 64, "map@10"),
    (["--depth", "0"], 64, "--depth must be from 1 to 100000"),
    (["--limit-queries", "0"], 64, "at least 1"),
    (["--per-query"], 64, "--output json"),
    (["--resamples", "0"], 65, "1 to 10000000 resamples"),
    (["--ranker", "bm25", "--bm25-b", "2"], 65, "b from 0 to 1"),
    (["--ranker", "folder:/no/such/folder"], 65, "--ranker folder:/no/such/folder: "),
    (["--ranker", "builtin", "--lanes", "0"], 65, "laneCount"),
    (["--ranker", "run:/no/such/run"], 65, "/no/such/run: cannot be read"),
  ])
  func wrongUsageAndInputAreNamed(
    arguments: [String], status: Int32, message: String
  ) async throws {
    let set = try SmallSet()
    let files = ["--queries", set.queries, "--qrels", set.qrels, "--corpus", set.corpus]
    let ended = try await eval(files + arguments)
    #expect(ended.exit == .status(status))
    #expect(ended.error.contains(message), "\(ended.error)")
  }

  @Test func rankersThatReadTextsNeedTheCorpus() async throws {
    let set = try SmallSet()
    let files = ["--queries", set.queries, "--qrels", set.qrels]
    let neither = try await eval(files)
    #expect(neither.exit == .status(64))
    #expect(neither.error.contains("give --candidates, or --corpus"))
    let texts = try await eval(files + ["--candidates", "x", "--ranker", "builtin"])
    #expect(texts.exit == .status(64))
    #expect(texts.error.contains("--ranker builtin reads the documents' texts: give --corpus"))
  }
}
