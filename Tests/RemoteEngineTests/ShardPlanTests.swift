import Scoring
import Testing

@testable import RemoteEngine

struct ShardPlanTests {
  private static let model = RemoteEngineConfiguration.Model(name: "m")

  @Test func partsEndWhereDocumentsTokensOrBytesDo() {
    var plan = plan(tokens: [3, 3, 3, 3, 3], documentsMax: 2)
    #expect(allParts(&plan) == [0..<2, 2..<4, 4..<5])
    plan = self.plan(tokens: [3, 3, 5, 1, 9], tokensMax: 8)
    #expect(allParts(&plan) == [0..<2, 2..<4, 4..<5])
    plan = self.plan(tokens: [1, 1, 1, 1, 1], bytesMax: 150, requestBytes: 50)
    #expect(allParts(&plan) == [0..<1, 1..<2, 2..<3, 3..<4, 4..<5])
    plan = self.plan(tokens: [1, 1, 1, 1, 1], bytesMax: 250, requestBytes: 50)
    #expect(allParts(&plan) == [0..<2, 2..<4, 4..<5])
  }

  @Test func aDocumentOverTheLimitGoesAlone() {
    var plan = plan(tokens: [1, 100, 1], tokensMax: 10)
    #expect(allParts(&plan) == [0..<1, 1..<2, 2..<3])
  }

  @Test func listwiseJobsAreNeverCut() {
    var plan = plan(tokens: [5, 5, 5], documentsMax: 1, tokensMax: 1, isListwise: true)
    #expect(allParts(&plan) == [0..<3])
    plan.record(ShardOutcome(range: 0..<3, end: .tooLarge(Self.tooMany)))
    #expect(plan.next() == nil)
    #expect(throws: EngineError.self) { try plan.result(model: Self.model) }
  }

  @Test func scoresAndUsageAreMergedByPosition() throws {
    var plan = plan(tokens: [1, 1, 1], documentsMax: 2)
    #expect(plan.next() == 0..<2)
    #expect(plan.next() == 2..<3)
    plan.record(scored(2..<3, tokens: 5))
    plan.record(scored(0..<2, tokens: 7))
    let result = try plan.result(model: Self.model)
    #expect(result.scores.map(\.relevanceScore) == [0, 1, 2])
    #expect(result.usage == TokenUsage(promptTokens: 12, totalTokens: 12, estimated: false))
  }

  @Test func usageThatOnePartDoesNotTellIsUnknown() throws {
    var plan = plan(tokens: [1, 1], documentsMax: 1)
    #expect(allParts(&plan).count == 2)
    plan.record(scored(0..<1, tokens: 5))
    plan.record(scored(1..<2, tokens: nil))
    #expect(try plan.result(model: Self.model).usage == nil)
  }

  @Test func afterAFailureNothingNewIsSentAndWhatIsThereGoesWithIt() {
    var plan = plan(tokens: [1, 1, 1], documentsMax: 1)
    #expect(plan.next() == 0..<1)
    #expect(plan.next() == 1..<2)
    plan.record(failed(0..<1, isRetryable: true))
    #expect(plan.next() == nil)
    #expect(!plan.isLost)
    plan.record(scored(1..<2, tokens: 4))
    let error = #expect(throws: EngineError.self) { try plan.result(model: Self.model) }
    #expect(error?.partialScores?.scores.keys.sorted() == [1])
    #expect(error?.partialScores?.usage?.totalTokens == 4)
    #expect(error?.partialScores?.model == "m")
  }

  @Test func aFinalFailureGoesBeforeOneThatARetryMayHeal() {
    var plan = plan(tokens: [1, 1, 1], documentsMax: 1)
    _ = allParts(&plan)
    plan.record(failed(0..<1, isRetryable: true))
    plan.record(failed(1..<2, isRetryable: false))
    #expect(plan.isLost)
    plan.record(failed(2..<3, isRetryable: true))
    let error = #expect(throws: EngineError.self) { try plan.result(model: Self.model) }
    #expect(error?.isRetryable == false)
    #expect(error?.partialScores == nil)
  }

  @Test func aPartThatWasGivenUpIsMissedAndNotForgotten() {
    var plan = plan(tokens: [1, 1], documentsMax: 1)
    _ = allParts(&plan)
    plan.record(scored(0..<1, tokens: 4))
    plan.record(ShardOutcome(range: 1..<2, end: .cancelled))
    let error = #expect(throws: EngineError.self) { try plan.result(model: Self.model) }
    #expect(error?.isRetryable == true)
    #expect(error?.spendsAttempt == false)
    #expect(error?.partialScores?.scores.keys.sorted() == [0])
  }

  @Test func partsThatAreTooLargeAreHalvedAndTheLimitIsLearned() {
    var plan = plan(tokens: Array(repeating: 1, count: 20), documentsMax: 10)
    #expect(plan.next() == 0..<10)
    plan.record(ShardOutcome(range: 0..<10, end: .tooLarge(Self.tooMany)))
    #expect(plan.limits.documentsMax == 5)
    #expect(allParts(&plan) == [0..<5, 5..<10, 10..<15, 15..<20])
  }

  @Test func tooManyBytesTeachNothingAboutDocuments() {
    var plan = plan(tokens: Array(repeating: 1, count: 20), documentsMax: 10)
    #expect(plan.next() == 0..<10)
    plan.record(ShardOutcome(range: 0..<10, end: .tooLarge(Self.tooManyBytes)))
    #expect(plan.limits.documentsMax == 10)
    #expect(plan.limits.bytesMax == 500)
    #expect(allParts(&plan) == [0..<5, 5..<10, 10..<15, 15..<20])
  }

  @Test func aBackendThatTakesOneDocumentAtATimeIsComeDownTo() throws {
    var plan = plan(tokens: Array(repeating: 1, count: 1_000), documentsMax: 1_000)
    var requests = 0
    while let part = plan.next() {
      requests += 1
      plan.record(
        part.count > 1
          ? ShardOutcome(range: part, end: .tooLarge(Self.tooManyBytes)) : scored(part, tokens: 1))
    }
    #expect(requests <= 1_000 + 10)
    #expect(try plan.result(model: Self.model).scores.count == 1_000)
  }

  @Test func halvingIsBounded() {
    var plan = plan(tokens: Array(repeating: 1, count: 1_000), documentsMax: 2)
    for part in allParts(&plan).prefix(ShardPlan.tooLargeMax) {
      plan.record(ShardOutcome(range: part, end: .tooLarge(Self.tooMany)))
      #expect(!plan.isLost)
    }
    plan.record(ShardOutcome(range: 998..<1_000, end: .tooLarge(Self.tooMany)))
    #expect(plan.isLost)
  }

  private static let tooManyBytes = RequestFailure(
    error: .invalid("too many bytes"), blame: .tooManyBytes)
  private static let tooMany = RequestFailure(
    error: .invalid("too many documents"), blame: .tooManyDocuments)

  private func plan(
    tokens: [Int], documentsMax: Int = .max, tokensMax: Int = .max, bytesMax: Int = .max,
    requestBytes: Int = 0, isListwise: Bool = false
  ) -> ShardPlan {
    ShardPlan(
      costs: tokens.map { DocumentCost(tokens: $0, bytes: 100) }, requestBytes: requestBytes,
      limits: .init(documentsMax: documentsMax, tokensMax: tokensMax, bytesMax: bytesMax),
      isListwise: isListwise)
  }

  private func allParts(_ plan: inout ShardPlan) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    while let part = plan.next() { parts.append(part) }
    return parts
  }

  private func scored(_ range: Range<Int>, tokens: Int?) -> ShardOutcome {
    var outcome = ShardOutcome(range: range, end: .done)
    for index in range {
      outcome.scores[index] = DocumentScore(
        relevanceScore: Float(index), rankingKey: Float(index))
    }
    outcome.usages = [
      tokens.map { TokenUsage(promptTokens: $0, totalTokens: $0, estimated: false) }
    ]
    return outcome
  }

  private func failed(_ range: Range<Int>, isRetryable: Bool) -> ShardOutcome {
    ShardOutcome(
      range: range,
      end: .failed(EngineError(code: .internal, message: "failed", isRetryable: isRetryable)))
  }
}
