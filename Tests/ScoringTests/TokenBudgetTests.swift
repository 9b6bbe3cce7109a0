import Foundation
import Scoring
import Testing

struct TokenBudgetTests {
  private let counter = WordCounter()
  private let image = Array(Data(base64Encoded: onePixelGIF) ?? Data())

  private func words(_ count: Int) -> String {
    Array(repeating: "word", count: count).joined(separator: " ")
  }

  private func check(
    _ documents: [RerankContent], query: RerankContent = RerankContent(text: "a query"),
    policy: TokenBudget.Policy = .reject, context: Int = 100, reserved: Int = 3,
    images: Bool = false, counter: (any TokenCounter)? = nil, instruction: String? = nil,
    documentTokensMax: Int? = nil, windowLimits: WindowLimits = WindowLimits()
  ) throws -> BudgetReport {
    let model = EngineModel(
      name: "m", contextTokens: context, reservedTokens: reserved, acceptsImages: images)
    return try TokenBudget(
      model: model, counter: counter ?? self.counter, policy: policy,
      documentTokensMax: documentTokensMax, windowLimits: windowLimits
    ).check(
      ScoringRequest(
        model: "m", query: query, documents: documents, instruction: instruction))
  }

  private func check(texts: [String], policy: TokenBudget.Policy = .reject) throws -> BudgetReport {
    try check(texts.map { RerankContent(text: $0) }, policy: policy)
  }

  @Test(arguments: [TokenBudget.Policy.reject, .truncate, .windows])
  func eachDocumentTakesInCompanyWhatItTakesAlone(policy: TokenBudget.Policy) throws {
    var documents = [1, 90, 95, 96, 300].map { RerankContent(text: words($0)) }
    documents.insert(RerankContent(parts: [.text(words(5)), .imageData(image)]), at: 2)
    let together = try check(documents, policy: policy, images: true).documents()
    #expect(together.map(\.index) == Array(documents.indices))
    for document in together {
      var alone = try #require(
        try check([documents[document.index]], policy: policy, images: true).documents().first)
      alone.index = document.index
      alone.message = document.message
      #expect(document == alone)
      #expect(document.fits == (document.message == nil))
    }
    let report = try check(documents, policy: policy, images: true)
    #expect(together.tokens == report.usage().promptTokens)
    #expect(together.filter(\.isTruncated).map(\.index) == report.truncatedDocuments)
    #expect(together.filter(\.fits).reduce(0) { $0 + $1.windows } == report.passages.count)
    #expect(together.contains { !$0.fits } == (policy == .reject))
  }

  @Test func theRequestsInstructionTakesRoomFromItsDocuments() throws {
    let report = try check(
      [words(90), words(91)].map { RerankContent(text: $0) }, instruction: words(5))
    #expect(report.acceptedDocuments == [0])
    #expect(report.refusedDocuments.map(\.index) == [1])
  }

  @Test func pairThatFillsTheContextFitsAndOneTokenMoreDoesNot() throws {
    let report = try check(texts: [words(95), words(96)])
    #expect(report.acceptedDocuments == [0])
    #expect(
      report.refusedDocuments == [
        BudgetReport.RefusedDocument(
          index: 1, code: .invalidArgument,
          message: "document 1 makes a pair of 101 tokens; m takes 100", tokens: 101,
          tokensMax: 100)
      ])
  }

  @Test func rejectionNamesTheFirstTwentyDocumentsAndCountsTheRest() throws {
    let report = try check(texts: ["fits"] + Array(repeating: words(200), count: 23))
    let rejection = try #require(report.rejection)
    #expect(rejection.code == .invalidArgument)
    #expect(!rejection.isRetryable)
    #expect(rejection.message.hasPrefix("23 of 24 documents cannot be scored: document 1 makes"))
    #expect(rejection.message.contains("document 20 makes a pair of 205 tokens"))
    #expect(!rejection.message.contains("document 21"))
    #expect(rejection.message.hasSuffix("; and 3 more"))
    #expect(report.refusedDocuments.count == 23)
    #expect(report.acceptedRequest.documents == [RerankContent(text: "fits")])
  }

  @Test func nothingIsRejectedWhenAllFits() throws {
    let report = try check(texts: ["one", "two"])
    #expect(report.rejection == nil)
    #expect(report.acceptedRequest.documents.count == 2)
  }

  @Test func usageIsTheSumOverPairsWithPromptAndQuery() throws {
    let report = try check(texts: ["one", words(50), "of three words"])
    #expect(
      report.usage()
        == TokenUsage(
          promptTokens: 3 * (3 + 2) + 1 + 50 + 3, totalTokens: 3 * (3 + 2) + 1 + 50 + 3,
          estimated: false))
  }

  @Test func queryIsCountedOnceAndShortDocumentsOnlyForUsage() throws {
    let report = try check(texts: ["one", "two"])
    #expect(counter.timesCounted("a query") == 1)
    #expect(counter.timesCounted("one") == 0)
    #expect(report.usage().totalTokens == 12)
    #expect(counter.timesCounted("one") == 1)
  }

  @Test func truncationShortensTextAndNamesTheDocuments() throws {
    let report = try check(texts: ["one", words(300), "two"], policy: .truncate)
    #expect(report.truncatedDocuments == [1])
    #expect(report.rejection == nil)
    #expect(report.request.documents[1].text == words(95))
    #expect(report.usage().totalTokens == 3 * 5 + 1 + 95 + 1)
  }

  @Test func truncationTakesTheTailOverAllPartsAndKeepsImages() throws {
    let document = RerankContent(parts: [
      .text(words(20)), .imageData(image), .text(words(300)), .text("the end"),
    ])
    let report = try check([document], policy: .truncate, images: true)
    // The one-pixel image takes four tokens of the context, and the newline may take one.
    #expect(
      report.request.documents[0].parts
        == [.text(words(20)), .imageData(image), .text(words(95 - 4 - 20 - 1))])
    #expect(report.truncatedDocuments == [0])
  }

  @Test func imagesAreNeverCutSoTheirDocumentIsRefused() throws {
    let document = RerankContent(parts: [.imageURL("https://example.org/a.png"), .text("text")])
    let report = try check([document], policy: .truncate, images: true)
    #expect(report.refusedDocuments.map(\.tokens) == [2 + 1_280 + 1 + 3])
  }

  @Test func queryThatLeavesNoRoomFailsTheRequest() {
    let error = #expect(throws: EngineError.self) {
      try check([RerankContent(text: "x")], query: RerankContent(text: words(97)))
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("has 97 tokens of the 97") == true)
  }

  @Test(arguments: ["", " \n\t\u{3000}"])
  func emptyQueryFailsTheRequestAndEmptyDocumentsAreRefused(text: String) throws {
    let error = #expect(throws: EngineError.self) {
      try check([RerankContent(text: "x")], query: RerankContent(text: text))
    }
    #expect(error?.message == "the query is empty")
    let report = try check(texts: ["x", text])
    #expect(report.refusedDocuments.map(\.message) == ["document 1 is empty"])
    #expect(report.refusedDocuments.map(\.tokens) == [nil])
    let noParts = try check([RerankContent(parts: [])])
    #expect(noParts.refusedDocuments.map(\.message) == ["document 0 is empty"])
  }

  @Test func requestWithoutDocumentsFails() {
    let error = #expect(throws: EngineError.self) { try check([]) }
    #expect(error?.message == "the request has no documents")
  }

  @Test func imageOnATextModelIsRefusedByItsDocumentsName() throws {
    let picture = RerankContent(parts: [.imageData(image)])
    let report = try check([RerankContent(text: "x"), picture])
    #expect(
      report.refusedDocuments.map(\.message)
        == ["document 1 has an image, and m takes text only"])
    #expect(throws: EngineError.self) { try check([RerankContent(text: "x")], query: picture) }
  }

  @Test func imagesCostTheirTokensAndUnknownOnesTheMost() throws {
    let documents = [
      RerankContent(parts: [.imageURL("data:image/gif;base64," + onePixelGIF)]),
      RerankContent(parts: [.text("caption"), .imageURL("HTTPS://example.org/a.png")]),
    ]
    let report = try check(documents, context: 32_768, reserved: 200, images: true)
    #expect(report.rejection == nil)
    #expect(report.usage().totalTokens == 2 * 202 + 0 + 1 + 1_280)
  }

  @Test(arguments: ["file:///etc/passwd", "ftp://example.org/a.png", "a.png", "data:,x"])
  func unusableImageURLsAreRefused(url: String) throws {
    let report = try check([RerankContent(parts: [.imageURL(url)])], images: true)
    #expect(report.refusedDocuments.first?.message.hasPrefix("document 0: not a usable") == true)
  }

  @Test func imageTooLongForTheModelIsRefused() throws {
    var wide = image
    wide[6] = 201
    let report = try check([RerankContent(parts: [.imageData(wide)])], images: true)
    #expect(report.refusedDocuments.first?.message.contains("201×1") == true)
  }

  @Test func estimatesAreCalledEstimates() throws {
    let report = try check([RerankContent(text: words(40))], counter: EstimatedTokenCounter())
    #expect(report.rejection?.message.contains("tokens (estimated from above)") == true)
    #expect(report.usage().estimated)
  }

  // MARK: max_tokens_per_doc

  @Test func eachDocumentsTextIsShortenedBeforeTheBudgetIsChecked() throws {
    let report = try check(
      [words(300), words(10), words(9)].map { RerankContent(text: $0) }, documentTokensMax: 10)
    #expect(report.truncatedDocuments == [0])
    #expect(report.rejection == nil)
    #expect(report.acceptedRequest.documents.map(\.text) == [words(10), words(10), words(9)])
    #expect(report.usage().totalTokens == 3 * 5 + 10 + 10 + 9)
  }

  @Test func whatIsStillTooLongAfterwardsMeetsThePolicy() throws {
    let document = RerankContent(text: words(300))
    let refused = try check([document], documentTokensMax: 200)
    #expect(refused.refusedDocuments.map(\.tokens) == [205])
    #expect(refused.truncatedDocuments.isEmpty)
    let truncated = try check([document], policy: .truncate, documentTokensMax: 200)
    #expect(truncated.truncatedDocuments == [0])
    #expect(truncated.request.documents[0].text == words(95))
  }

  @Test func documentOfWhichNothingIsLeftIsRefused() throws {
    let report = try check(
      [RerankContent(text: "\n" + words(3))], counter: EstimatedTokenCounter(),
      documentTokensMax: 2)
    #expect(
      report.refusedDocuments.first?.message.contains("the 2 tokens of max_tokens_per_doc") == true)
  }

  @Test func shorteningKeepsAnEmptyPartsLineBreak() throws {
    let document = RerankContent(parts: [.text("one"), .text(""), .text(words(50))])
    let report = try check([document], documentTokensMax: 20)
    #expect(report.request.documents[0].text.hasPrefix("one\n\nword word"))
    #expect(document.text.hasPrefix(report.request.documents[0].text))
  }

  // MARK: Windows

  @Test func documentOverTheContextIsScoredInWindowsAndOthersAsTheyAre() throws {
    let report = try check(texts: ["one", words(200), "two"], policy: .windows)
    // 95 words a window, 24 less a quarter of them shared; a word and its blank are five bytes.
    let step = (95 - 95 / 4) * 5 - 1
    #expect(
      report.passages == [
        .init(document: 0), .init(document: 1, window: 0..<(95 * 5 - 1)),
        .init(document: 1, window: step..<(step + 95 * 5)),
        .init(document: 1, window: (2 * step + 1)..<(200 * 5 - 1)), .init(document: 2),
      ])
    #expect(report.acceptedDocuments == [0, 1, 2])
    #expect(report.acceptedRequest.documents.map { counter.count($0.text) } == [1, 95, 95, 56, 1])
    #expect(report.truncatedDocuments.isEmpty)
    #expect(report.usage().totalTokens == 5 * 5 + 1 + 95 + 95 + 56 + 1)
  }

  @Test func everyWindowHasTheDocumentsImages() throws {
    let document = RerankContent(parts: [
      .text(words(100)), .imageData(image), .text(words(100)),
    ])
    let report = try check([document], policy: .windows, images: true)
    let windows = report.acceptedRequest.documents
    #expect(windows.count > 2)
    for window in windows {
      #expect(window.parts.first == .imageData(image))
      // The image takes four of the context.
      #expect(counter.count(window.text) <= 91)
    }
    // And is reported as costing none, by the hub's rule.
    #expect(
      report.usage().totalTokens
        == windows.reduce(0) { $0 + 5 + counter.count($1.text) })
  }

  @Test func imagesThatLeaveNoRoomRefuseTheDocument() throws {
    let document = RerankContent(parts: [.imageURL("https://example.org/a.png"), .text("text")])
    let report = try check([document], policy: .windows, images: true)
    #expect(report.refusedDocuments.map(\.tokens) == [2 + 1_280 + 1 + 3])
  }

  @Test func documentOfTooManyWindowsIsRefusedSayingWhatHelps() throws {
    var limits = WindowLimits()
    limits.windowsMax = 2
    let report = try check(
      [words(166), words(168)].map { RerankContent(text: $0) }, policy: .windows,
      windowLimits: limits)
    #expect(report.passages.map(\.document) == [0, 0])
    #expect(
      report.refusedDocuments.map(\.message) == [
        "document 1 cannot be scored in windows: it would make more than 2 windows of 95 tokens; "
          + "shorten it, or set max_tokens_per_doc"
      ])
  }

  @Test func passagesOfTheWholeRequestAreBounded() throws {
    var limits = WindowLimits()
    limits.passagesMax = 3
    let report = try check(
      ["one", words(150), words(150), "two", "three"].map { RerankContent(text: $0) },
      policy: .windows, windowLimits: limits)
    #expect(report.acceptedDocuments == [0, 1])
    #expect(report.refusedDocuments.map(\.index) == [2, 3, 4])
    #expect(report.refusedDocuments[0].message.contains("to 5 passages"))
  }

  @Test func windowsAreOfWhatMaxTokensPerDocLeaves() throws {
    let report = try check(
      [RerankContent(text: words(300))], policy: .windows, documentTokensMax: 100)
    #expect(report.truncatedDocuments == [0])
    #expect(report.passages.last?.window?.upperBound == 100 * 5 - 1)
  }
}
