import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl eval` through a queue and a worker.
  @Suite struct EvalCommandTests {
    private struct Report: Decodable {
      struct Ranker: Decodable {
        struct Estimate: Decodable {
          var mean: Double
          var low: Double
          var high: Double
        }

        struct Calibration: Decodable {
          var pairs: Int
          var brierScore: Double
        }

        var name: String
        var differences: [Estimate]?
        var calibration: Calibration?
        var unrankedDocuments: Int
        var shortenedDocuments: Int
      }

      var queries: Int
      var rankers: [Ranker]
    }

    private static let long = String(repeating: "Glaciers carve valleys out of rock. ", count: 200)
    private static let documents = [
      "ice": "Ice deforms under its own weight.", "paris": "Paris is the capital of France.",
      "bread": "Bread is made of flour.", "rock": long, "empty": "",
      "lyon": "Lyon is a city in France.", "moon": "The moon moves the tides.",
    ]

    /// The queue's worker and this process run the same model, so all they say is the same: the
    /// orders, what was shortened, what has no text, and the probabilities.
    @Test func aModelBehindAQueueIsWorthWhatItIsWorthHere() async throws {
      try await RunningSystem.run { system in
        let folder = system.folder
        let corpus = try Self.documents.sorted { $0.key < $1.key }.map { id, text in
          String(decoding: try JSONEncoder().encode(["_id": id, "text": text]), as: UTF8.self)
        }
        let all = Self.documents.keys.sorted()
        let queries = ["how do glaciers move?", "capital of France", "what is bread made of?"]
        let lines = queries.indices.map { #"{"_id": "\#($0)", "text": "\#(queries[$0])"}"# }
        let lists = try queries.indices.map { index in
          let ids = String(decoding: try JSONEncoder().encode(all), as: UTF8.self)
          return #"{"query-id": "\#(index)", "doc-ids": \#(ids)}"#
        }
        let evaluation = try await system.control([
          "eval", "--corpus", folder.write(corpus.joined(separator: "\n"), to: "corpus.jsonl"),
          "--queries", folder.write(lines.joined(separator: "\n"), to: "queries.jsonl"),
          "--qrels", folder.write("0 0 ice 2\n0 0 rock 1\n1 0 paris 1\n2 0 bread 1\n", to: "qrels"),
          "--candidates", folder.write(lists.joined(separator: "\n"), to: "candidates.jsonl"),
          "--ranker", "builtin", "--ranker", "queue:builtin", "--calibration",
          "--save-run", folder.path("runs"), "--output", "json",
        ])
        try #require(evaluation.exit == .status(0), "\(evaluation.error)")
        _ = try evaluation.json(as: "eval")
        let report = try evaluation.json(Report.self)
        try #require(report.rankers.map(\.name) == ["builtin", "queue:builtin"])
        let (here, there) = (report.rankers[0], report.rankers[1])
        #expect(report.queries == 3)
        #expect(there.differences?.count == 4)
        for row in there.differences ?? [] {
          #expect(row.mean == 0 && row.low == 0 && row.high == 0)
        }
        for ranker in [here, there] {
          #expect(ranker.unrankedDocuments == 3)
          #expect(ranker.shortenedDocuments == 3)
          #expect(ranker.calibration?.pairs == 18)
        }
        #expect(here.calibration?.brierScore == there.calibration?.brierScore)

        let orders = try ["builtin", "queue_builtin"].map { name in
          try String(contentsOfFile: folder.path("runs/\(name).trec"), encoding: .utf8)
            .split(separator: "\n").map { $0.split(separator: " ")[2] }
        }
        #expect(orders[0].count == 18)
        #expect(orders[0] == orders[1])
      }
    }

    @Test func aModelThatTheQueueDoesNotHaveEndsTheEvaluation() async throws {
      try await RunningSystem.run { system in
        let folder = system.folder
        let evaluation = try await system.control([
          "eval", "--corpus", folder.write(#"{"_id": "d", "text": "ice"}"#, to: "corpus.jsonl"),
          "--queries", folder.write(#"{"_id": "q", "text": "ice"}"#, to: "queries.jsonl"),
          "--qrels", folder.write("q 0 d 1\n", to: "qrels"), "--ranker", "queue:nobody",
        ])
        #expect(evaluation.exit == .status(65))
        #expect(evaluation.error.contains("NOT_FOUND: query q: model \"nobody\""))
        #expect(evaluation.output == "")
      }
    }
  }
}
