import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// Documents beyond the built-in model's context, through a queue and a worker.
  @Suite struct LongDocumentTests {
    private struct Ranking: Decodable {
      struct Row: Decodable {
        var index: Int
        var relevanceScore: Double
      }

      struct Windowed: Decodable {
        var index: Int
        var windows: Int
        var bestWindow: Int
        var bestStartByte: Int
        var bestEndByte: Int
      }

      struct Usage: Decodable {
        var totalTokens: Int
      }

      var results: [Row]?
      var truncatedDocuments: [Int]?
      var windowedDocuments: [Windowed]?
      var usage: Usage?
    }

    private let query = "What is the capital of France?"
    private let answer = "Paris is the capital and most populous city of France."

    /// The answer stands in the middle of what would fill the context three times.
    private var document: String {
      let filler = String(repeating: "Glaciers deform slowly under their own weight. ", count: 90)
      return filler + answer + " " + filler
    }

    @Test func aLongDocumentIsFoundByItsBestWindow() async throws {
      try await RunningSystem.run { system in
        let file = try system.folder.write(
          "Bread is made of flour.\n\(document)\n", to: "documents.txt")
        let call = ["rerank", query, "--documents", file]

        let refused = try await system.control(call)
        #expect(refused.exit == .status(1))
        #expect(refused.error.contains("document 1 makes a pair of"))

        let json = try await system.control(
          call + ["--over-budget", "windows", "--output", "json"])
        let ranking = try json.json(Ranking.self)
        #expect(ranking.results?.first?.index == 1)
        let windowed = try #require(ranking.windowedDocuments?.first)
        #expect(windowed.index == 1)
        #expect(windowed.windows > 3)
        #expect((0..<windowed.windows).contains(windowed.bestWindow))
        let best = Array(document.utf8)[windowed.bestStartByte..<windowed.bestEndByte]
        #expect(String(decoding: best, as: UTF8.self).contains(answer))
        // All windows are counted, each with the query.
        #expect((ranking.usage?.totalTokens ?? 0) > 512 * 3)

        let table = try await system.control(call + ["--over-budget", "windows"])
        #expect(
          table.output.contains(
            "document 1 has the score of window \(windowed.bestWindow + 1) of \(windowed.windows), "
              + "bytes \(windowed.bestStartByte) to \(windowed.bestEndByte)"))

        // The best window by itself has the document's score.
        let passage = try system.folder.write(
          String(decoding: best, as: UTF8.self).trimmingCharacters(in: .whitespaces),
          to: "passage.txt")
        let alone = try await system.control([
          "rerank", query, "--documents", passage, "--output", "json",
        ])
        let score = try alone.json(Ranking.self).results?.first?.relevanceScore
        #expect(abs((score ?? -1) - (ranking.results?.first?.relevanceScore ?? -2)) < 1e-6)
      }
    }

    @Test func aLineOfAFileMayAskForWindowsOrFewerTokens() async throws {
      try await RunningSystem.run { system in
        let documents = "[\"Bread.\", \"\(document)\"]"
        let file = try system.folder.write(
          """
          {"query": "\(query)", "documents": \(documents), "over_budget": "windows"}
          {"query": "\(query)", "documents": \(documents), "max_tokens_per_doc": 50}
          """, to: "jobs.jsonl")
        let submitted = try await system.control(["submit", file, "--reply-channel", "long"])
        try #require(submitted.exit == .status(0), "\(submitted.error)")
        let results = try await system.control([
          "results", "--reply-channel", "long", "--count", "2", "--output", "jsonl",
        ])
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let rankings = try results.output.split(separator: "\n")
          .map { try decoder.decode(Ranking.self, from: Data($0.utf8)) }
        #expect(rankings.compactMap { $0.windowedDocuments?.map(\.index) } == [[1]])
        #expect(rankings.compactMap(\.truncatedDocuments) == [[1]])
      }
    }
  }
}
