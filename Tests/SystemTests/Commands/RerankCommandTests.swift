import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl rerank` and `budget`.
  @Suite struct RerankCommandTests {
    private static let question = [
      "What is the capital of France?", "Bread is made of flour.",
      "Paris is the capital and most populous city of France.",
    ]

    @Test func rerankPrintsTheRankingForPeopleAndPrograms() async throws {
      try await RunningSystem.run { system in
        let table = try await system.control(["rerank"] + Self.question)
        try #require(table.exit == .status(0), "\(table.error)")
        #expect(table.rows.first == ["RANK", "SCORE", "INDEX", "DOCUMENT"])
        #expect(table.rows.map(\.last)[1...] == [Self.question[2], Self.question[1]])

        let one = ["rerank", "--top-n", "1"] + Self.question
        let ranking = try await system.json(one, as: "rerank")
        #expect(ranking["results"].items.map { $0["index"].number } == [1])
        #expect(ranking["results"][0]["document"].text == Self.question[2])
        #expect((0...1).contains(ranking["results"][0]["relevance_score"].number ?? -1))
        #expect(ranking["engine"].text == "embedded")
        #expect(ranking["usage"]["estimated"].bool == false)
        #expect(
          try await system.lines(one, as: "rerank").map { $0["state"] } == [.text("succeeded")])

        // From standard input, a line each and as JSON.
        let lines = try system.folder.write(
          #"{"text": "\#(Self.question[1])"}"# + "\n\n" + #"{"text": "\#(Self.question[2])"}"#,
          to: "documents.jsonl")
        let read = try await system.control(
          ["rerank", Self.question[0], "--documents", "-", "-o", "json"], inputFile: lines)
        #expect(try read.json(as: "rerank")["results"][0]["index"].number == 1)
      }
    }

    @Test func aDocumentBeyondTheBudgetIsRefusedShortenedOrScoredInWindows() async throws {
      try await RunningSystem.run { system in
        let long = try system.folder.write(
          String(repeating: "glaciers carve valleys ", count: 400), to: "long.txt")
        let call = ["rerank", "how do glaciers move?", "Ice deforms.", "--documents", long]
        let refused = try await system.control(call)
        #expect(refused.exit == .status(1))
        #expect(refused.error.contains("INVALID_ARGUMENT"))
        let error = try await system.json(call, as: "rerank", exit: 1)
        #expect(error["state"].text == "dead" && error["results"] == .null)
        let shortened = try await system.json(
          call + ["--over-budget", "truncate"], as: "rerank")
        #expect(shortened["truncated_documents"] == .list([.number(1)]))
        let windowed = try await system.json(call + ["--over-budget", "windows"], as: "rerank")
        #expect((windowed["windowed_documents"][0]["windows"].number ?? 0) > 1)

        // What budget says before anything is submitted.
        let budget = ["budget"] + call.dropFirst()
        let table = try await system.control(budget)
        #expect(table.exit == .status(1))
        #expect(table.rows[0] == ["INDEX", "TOKENS", "OF", "FITS", "DOCUMENT"])
        #expect(table.rows[1].contains("yes") && table.rows[2].contains("no"))
        let counted = try await system.json(budget, as: "budget", exit: 1)
        #expect(counted["documents"].items.map { $0["fits"] } == [.bool(true), .bool(false)])
        #expect(counted["estimated"].bool == false)
        let cut = try await system.lines(budget + ["--over-budget", "truncate"], as: "budget")
        #expect(cut[0]["documents"][1]["truncated"].bool == true)
      }
    }

    /// By the rule for images: rounded down to blocks of 32 by 32, a token each.
    @Test func budgetCountsImages() async throws {
      let folder = try TemporaryFolder("budget")
      let config = try folder.write(
        """
        backends:
          - { name: hub, base_url: "http://127.0.0.1:9", dialect: openai }
        models:
          - { name: vl, backend: hub, images: true, context_tokens: 32768,
              reserved_tokens: 200 }
        """, to: "rerankd.yaml")
      let image = folder.path("photo.png")
      try #require(Data(base64Encoded: Self.png)).write(to: URL(filePath: image))
      let end = try await ControlOutput.of([
        "budget", "a red bicycle", "--image", image, "--image", "https://shop.example/1.jpg",
        "--model", "vl", "--config", config, "--output", "json",
      ])
      let budget = try end.json(as: "budget")
      let tokens = budget["documents"].items.compactMap { $0["tokens"].number }
      try #require(tokens.count == 2)
      // Of unknown size, an image counts as the most that one can cost.
      #expect(tokens[1] - tokens[0] == 1_280 - 640 / 32 * 480 / 32)
      #expect(budget["documents"][1]["document"].text == "[image https://shop.example/1.jpg]")
    }

    /// A PNG's signature and header, of 640 by 480: all that its size is read from.
    private static let png = "iVBORw0KGgoAAAANSUhEUgAAAoAAAAHgCAIAAAC6s0uz"
  }
}
