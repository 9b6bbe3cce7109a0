import Evaluation
import Foundation
import TestSupport
import Testing

@testable import rerankctl

@Suite struct EvaluationTaskTests {
  private let set: SmallSet

  init() throws {
    set = try SmallSet()
  }

  private func load(
    candidates: String? = nil, corpus: Bool = true, depth: Int = 100, limit: Int? = nil
  ) throws -> EvaluationTask {
    let files = EvaluationTask.Files(
      queries: set.queries, qrels: set.qrels, corpus: corpus ? set.corpus : nil,
      candidates: try candidates.map { try set.folder.write($0, to: "candidates") })
    return try EvaluationTask.load(
      files, depth: depth, limitQueries: limit, bm25: BM25Index.Parameters(), ranksByBM25: false)
  }

  @Test func candidatesAreFoundInTheCorpusUnlessTheyAreGiven() throws {
    let found = try load()
    #expect(found.queries.map(\.id) == ["paris", "ice"])
    #expect(found.queries[1].candidateIDs == ["glacier", "skating"])
    #expect(found.queriesWithoutJudgements == 1)
    #expect(found.queriesWithoutCandidates == 0)

    let given = try load(candidates: "ice Q0 bread 1 0.5 t\nice Q0 glacier 2 0.75 t\n")
    #expect(given.queries.map(\.id) == ["ice"])
    #expect(given.queries[0].candidateIDs == ["glacier", "bread"])
    #expect(given.queriesWithoutCandidates == 1)
    #expect(given.pairs == 2)
    #expect(given.bm25 == nil)
  }

  @Test func depthAndLimitCutFromTheTop() throws {
    let task = try load(depth: 1, limit: 1)
    #expect(task.queries.map(\.id) == ["paris"])
    #expect(task.queries[0].candidates.documents.count == 1)
  }

  @Test func candidatesThatTheCorpusLacksAreAnError() throws {
    let lines = #"{"query-id": "ice", "doc-ids": ["glacier", "elsewhere"]}"#
    let error = #expect(throws: InputError.self) { try load(candidates: lines) }
    #expect(error?.description.contains("query ice has the candidate elsewhere") == true)
    #expect(try load(candidates: lines, corpus: false).pairs == 2)
  }

  @Test func filesThatDoNotBelongTogetherAreAnError() throws {
    let error = #expect(throws: InputError.self) {
      try load(candidates: #"{"query-id": "7", "doc-ids": ["glacier"]}"#)
    }
    #expect(error?.description.contains("do the files belong together?") == true)
  }

  @Test func malformedLinesNameTheFile() throws {
    let error = #expect(throws: EvaluationError.self) {
      try load(candidates: "ice Q0 glacier 1 0.5 t\n\nice Q0 bread\n")
    }
    #expect(error?.description.contains("candidates:3: expected") == true)
  }

  @Test func rankersAreNamedAsTheyAreGiven() {
    for text in ["first-stage", "bm25", "builtin", "folder:a/b:c", "queue:org/model", "run:x.trec"]
    {
      #expect(RankerChoice(argument: text)?.description == text)
    }
    for text in ["", "folder", "folder:", "model:x", "BM25"] {
      #expect(RankerChoice(argument: text) == nil)
    }
  }

  @Test func aRunCountsOnlyWithItsCandidates() throws {
    let task = try load(candidates: #"{"query-id": "ice", "doc-ids": ["glacier", "bread"]}"#)
    var run = RunFile()
    try run.read("ice Q0 paris 1 3 t", at: "run:1")
    try run.read("ice Q0 bread 2 2 t", at: "run:2")
    let ranked = RunRanker(run: run).rank(task.queries[0])
    #expect(ranked.ranking.documents.map(\.id) == ["bread"])
  }

  @Test func savedRunsHaveNamesOfTheirOwn() {
    var taken: Set<String> = []
    let names = ["folder:a/b", "folder:a_b", "queue:ä", "bm25"].map {
      RunFolder.fileName(for: $0, taken: &taken)
    }
    #expect(names == ["folder_a_b", "folder_a_b-2", "queue__", "bm25"])
  }
}

/// A made-up collection of five documents, one of them without text.
struct SmallSet {
  let folder: TemporaryFolder
  let queries: String
  let qrels: String
  let corpus: String

  init() throws {
    folder = try TemporaryFolder("eval")
    queries = try folder.write(
      """
      {"_id": "paris", "text": "What is the capital of France?"}
      {"_id": "nobody", "text": "Who asks this?"}
      {"_id": "ice", "text": "how does ice move?"}
      """, to: "queries.jsonl")
    qrels = try folder.write(
      "query-id\tcorpus-id\tscore\nparis\tparis\t2\nparis\tlyon\t1\nice\tglacier\t1\n",
      to: "qrels.tsv")
    corpus = try folder.write(
      """
      {"_id": "lyon", "title": "France", "text": "France's capital of cooking is Lyon, France."}
      {"_id": "paris", "title": "", "text": "Paris is the capital and largest city of France."}
      {"_id": "bread", "title": "Bread", "text": "It is made of flour."}
      {"_id": "glacier", "title": "Glaciers", "text": "Ice deforms and moves under its own weight."}
      {"_id": "skating", "title": "Figure skating", "text": "A sport on ice."}
      {"_id": "empty", "title": "", "text": ""}
      """, to: "corpus.jsonl")
  }
}
