import Foundation
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import rerankctl

@Suite struct OutputTests {
  @Test func columnsAreAlignedAndLineBreaksStayInTheirCell() {
    var table = TextTable([("RANK", .right), ("DOCUMENT", .left)])
    table.append(["1", "one\ntwo"])
    table.append(["10", "three"])
    #expect(table.text() == "RANK  DOCUMENT\n   1  one two\n  10  three\n")
  }

  @Test func theLastColumnIsCutToTheTerminal() {
    var table = TextTable([("A", .left), ("B", .left)])
    table.append(["1", "a long document that does not fit"])
    #expect(table.text(widthMax: 13) == "A  B\n1  a long do…\n")
  }

  @Test(arguments: [
    (Float(0.5), "0.5000"), (0.99996, "1.0000"), (1, "1.0000"), (0.00004, "0.0000"),
    (-1.25, "-1.2500"), (-0.00001, "0.0000"),
  ])
  func scoresHaveFourDecimals(score: Float, text: String) {
    #expect(OutcomeView.fixed(score) == text)
  }

  @Test(arguments: [
    (UInt64(0), "0 s"), (59_999, "59 s"), (312_000, "5 min 12 s"), (7_200_000, "2 h 0 min"),
    (200_000_000, "2 d 7 h"),
  ])
  func timesShowTheirTwoLargestUnits(milliseconds: UInt64, text: String) {
    #expect(Quantity.time(milliseconds: milliseconds) == text)
  }

  @Test func timesAreISO8601InUTCWithMilliseconds() {
    #expect(JobView.time(1_795_000_000_123) == "2026-11-18T11:06:40.123Z")
  }

  @Test func anOutcomeCarriesItsDocumentsWhereTheyAreKnown() throws {
    var result = RerankResult()
    result.model = "builtin"
    (result.model, result.engine) = ("other", "hub")
    result.results = [(UInt32(1), Float(0.9)), (0, 0.1)].map { index, score in
      var ranked = RankedDocument()
      ranked.index = index
      ranked.relevanceScore = score
      return ranked
    }
    var outcome = JobOutcome()
    outcome.jobID = JobID(shard: 0, sequence: 5).rawValue
    outcome.state = .succeeded
    outcome.result = try result.serializedData()
    let view = OutcomeView(outcome, documents: ["first"])
    #expect(view.jobId == "0-5")
    #expect(view.results?.map(\.document) == [nil, "first"])
    #expect(view.error == nil)
    #expect(!view.text(widthMax: nil).contains("scored by"))
    #expect(view.text(widthMax: nil, namesScorer: true).hasSuffix("scored by other, hub\n"))
    #expect(try Printer.json(view, pretty: false).contains(#""relevance_score":0.9"#))
  }

  @Test func whatBecameOfSingleDocumentsStandsBelowTheRanking() throws {
    let result = RerankResult.with {
      $0.results = [.with { $0.relevanceScore = 0.5 }]
      $0.truncatedDocuments = [0, 4]
      $0.windowedDocuments = [
        .with {
          ($0.index, $0.windows, $0.bestWindow) = (0, 3, 1)
          ($0.bestStartByte, $0.bestEndByte) = (100, 250)
        }
      ]
      $0.failedDocuments = [
        .with { ($0.index, $0.code, $0.message) = (1, 3, "document 1 is empty") }
      ]
    }
    var outcome = JobOutcome()
    outcome.state = .succeeded
    outcome.result = try result.serializedData()
    let view = OutcomeView(outcome, documents: ["first"])
    #expect(
      view.text(widthMax: nil) == """
        RANK   SCORE  INDEX  DOCUMENT
           1  0.5000      0  first

        shortened documents 0, 4
        document 0 has the score of window 2 of 3, bytes 100 to 250
        document 1 failed: INVALID_ARGUMENT: document 1 is empty

        """)
    #expect(view.singled == "1 failed, 2 shortened, 1 in windows")
    let json = try Printer.json(view, pretty: false)
    #expect(json.contains(#""truncated_documents":[0,4]"#))
    #expect(
      json.contains(
        #"[{"best_end_byte":250,"best_start_byte":100,"best_window":1,"index":0,"windows":3}]"#))
  }

  @Test func catalogueShowsWhatAModelTakesAndWhoServesIt() throws {
    let models = [
      ModelInfo.with {
        ($0.name, $0.contextTokens, $0.reservedTokens, $0.workers) = ("builtin", 512, 4, 2)
        $0.engine = "embedded"
      },
      ModelInfo.with {
        ($0.name, $0.contextTokens, $0.reservedTokens, $0.images) = ("vl", 32_768, 200, true)
        ($0.engine, $0.fallbacks) = ("hub", ["builtin"])
      },
    ].map(ModelView.init)
    #expect(
      ModelView.table(models).text() == """
        MODEL    ENGINE    CONTEXT  RESERVED  IMAGES  WORKERS  FALLBACKS
        builtin  embedded      512         4  no            2
        vl       hub         32768       200  yes           0  builtin

        """)
    #expect(try Printer.json(models[1], pretty: false).contains(#""fallbacks":["builtin"]"#))
  }

  @Test func aResultThatIsNoneIsAnErrorAndNoCrash() {
    var outcome = JobOutcome()
    outcome.state = .succeeded
    outcome.result = .init([0xff])
    #expect(OutcomeView(outcome, documents: []).error?.code == "DATA_LOSS")
  }
}
