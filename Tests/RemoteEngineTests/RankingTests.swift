import Foundation
import Scoring
import Testing

@testable import RemoteEngine

struct RankingTests {
  @Test func unsortedResultsGoBackToTheirDocuments() throws {
    let result = try parse(
      """
      {"model":"m","results":[{"index":1,"relevance_score":0.25},{"index":2,"relevance_score":0.75},
      {"index":0,"relevance_score":0.5}],"usage":{"prompt_tokens":10,"total_tokens":12}}
      """, count: 3)
    #expect(result.scores.map(\.relevanceScore) == [0.5, 0.25, 0.75])
    #expect(result.scores.map(\.rankingKey) == [0.5, 0.25, 0.75])
    #expect(result.usage == TokenUsage(promptTokens: 10, totalTokens: 12, estimated: false))
    #expect(result.model == "m")
  }

  @Test(arguments: [
    #""document":"text","#, #""document":{"text":"text"},"#, #""document":null,"#, "",
    #""document":{"image":"x"},"#,
  ])
  func documentMayHaveAnyShape(field: String) throws {
    let result = try parse(#"{"results":[{\#(field)"index":0,"relevance_score":1}]}"#, count: 1)
    #expect(result.scores.map(\.relevanceScore) == [1])
  }

  @Test(arguments: [
    (#""usage":{"total_tokens":7}"#, TokenUsage(promptTokens: 7, totalTokens: 7, estimated: false)),
    (
      #""meta":{"usage":{"prompt_tokens":3,"total_tokens":4}}"#,
      TokenUsage(promptTokens: 3, totalTokens: 4, estimated: false)
    ),
    (
      #""meta":{"tokens":{"input_tokens":5}}"#,
      TokenUsage(promptTokens: 5, totalTokens: 5, estimated: false)
    ),
    (
      #""usage":{},"meta":{"total_tokens":6}"#,
      TokenUsage(promptTokens: 6, totalTokens: 6, estimated: false)
    ),
    (#""usage":null"#, nil), (#""usage":"many""#, nil), (#""usage":{"total_tokens":-1}"#, nil),
    (#""meta":{"billed_units":{"search_units":1}}"#, nil),
  ])
  func usageIsFoundWhereItStandsAndMayBeMissing(field: String, usage: TokenUsage?) throws {
    let result = try parse(#"{"results":[{"index":0,"relevance_score":0.5}],\#(field)}"#, count: 1)
    #expect(result.usage == usage)
  }

  @Test(arguments: [
    ("index beyond the documents", #"[{"index":1,"relevance_score":0.5}]"#),
    ("negative index", #"[{"index":-1,"relevance_score":0.5}]"#),
    ("missing result", "[]"),
    ("score not finite", #"[{"index":0,"relevance_score":1e39}]"#),
  ])
  func wrongResultsAreInternalAndWorthAnotherTry(what: String, results: String) {
    let error = failure(#"{"model":"m","results":\#(results)}"#, count: 1)
    #expect(error?.code == .internal)
    #expect(error?.isRetryable == true)
    #expect(error?.backendFault == .unavailable)
  }

  @Test func repeatedIndexIsRefused() {
    let error = failure(
      #"{"results":[{"index":0,"relevance_score":0.5},{"index":0,"relevance_score":0.5}]}"#,
      count: 2)
    #expect(error?.code == .internal)
    #expect(error?.message.contains("index 0 twice") == true)
  }

  @Test(arguments: [
    "", "{", "null", "<html>", #"{"results":[{"index":0,"#, "{}", #"{"results":{}}"#,
    #"{"results":[{"index":0,"relevance_score":1e999}]}"#,
    #"{"results":[{"index":0,"relevance_score":NaN}]}"#,
    #"{"results":[{"index":0,"relevance_score":"0.5"}]}"#,
    #"{"results":[{"index":0,"relevance_score":null}]}"#,
    #"{"results":[{"index":0.5,"relevance_score":0.5}]}"#,
  ])
  func whatIsNoRankingIsNotTakenForOne(body: String) {
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(RankingBody.self, from: Data(body.utf8))
    }
  }

  @Test(arguments: ["1.01", "-0.01", "12.5"])
  func scoresOutsideTheSigmoidAreAConfigurationError(score: String) {
    let error = failure(#"{"results":[{"index":0,"relevance_score":\#(score)}]}"#, count: 1)
    #expect(error?.code == .failedPrecondition)
    #expect(error?.isRetryable == false)
    #expect(error?.message.contains("answered_scores") == true)
  }

  @Test func rawScoresMayHaveAnyFiniteValue() throws {
    var model = RemoteEngineConfiguration.Model(name: "m")
    model.scoreKind = .raw
    let result = try parse(
      #"{"results":[{"index":0,"relevance_score":-7.5}]}"#, count: 1, model: model)
    #expect(result.scores.map(\.relevanceScore) == [-7.5])
  }

  @Test func answerOfAnotherModelIsAConfigurationError() {
    let error = failure(
      #"{"model":"other","results":[{"index":0,"relevance_score":0.5}]}"#, count: 1)
    #expect(error?.code == .failedPrecondition)
    #expect(error?.isRetryable == false)
  }

  @Test func modelMayAnswerUnderAConfiguredName() throws {
    let result = try parse(
      #"{"model":"m-2026","results":[{"index":0,"relevance_score":0.5}]}"#, count: 1,
      model: .init(name: "m", answeredName: "m-2026"))
    #expect(result.model == "m-2026")
  }

  @Test func rawScoresBecomeSigmoidOnceAndKeepTheirOrderBeyondItsRounding() throws {
    var model = RemoteEngineConfiguration.Model(name: "m")
    model.answeredScoreKind = .raw
    let result = try parse(
      """
      {"results":[{"index":0,"relevance_score":30},{"index":1,"relevance_score":40},
      {"index":2,"relevance_score":0},{"index":3,"relevance_score":-1000}]}
      """, count: 4, model: model)
    #expect(result.scores.map(\.relevanceScore) == [1, 1, 0.5, 0])
    #expect(result.scores.map(\.rankingKey) == [30, 40, 0, -1000])
  }

  private func parse(
    _ body: String, count: Int, model: RemoteEngineConfiguration.Model = .init(name: "m")
  ) throws -> RankedDocuments {
    try JSONDecoder().decode(RankingBody.self, from: Data(body.utf8)).ranking.scores(
      documentCount: count, model: model, answered: model.answeredScoreKind ?? model.scoreKind,
      backend: "hub")
  }

  private func failure(_ body: String, count: Int) -> EngineError? {
    #expect(throws: EngineError.self) { try parse(body, count: count) }
  }
}
