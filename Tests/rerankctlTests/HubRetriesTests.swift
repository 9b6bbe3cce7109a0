import Testing

@testable import rerankctl

@Suite struct HubRetriesTests {
  private func retries(_ change: (inout HubConfiguration) -> Void = { _ in }) throws -> HubRetries {
    var configuration = try HubConfiguration(environment: [:])
    change(&configuration)
    return HubRetries(configuration)
  }

  private let away = HubError(.unavailable, "away")

  @Test func aHubThatBringsNothingIsAskedLessAndLessOftenAndThenGivenUp() throws {
    var retries = try retries { $0.backoffCap = .seconds(3) }
    let pauses = (0..<6).map { _ in retries.pause(after: away, jitter: 1) }
    #expect(
      pauses == [
        .milliseconds(500), .seconds(1), .seconds(2), .seconds(3), .seconds(3), nil,
      ])
  }

  @Test func bytesThatCameStartTheCountAnew() throws {
    var retries = try retries { $0.attemptsMax = 2 }
    for _ in 0..<10 {
      #expect(retries.pause(after: away, jitter: 0) == .milliseconds(250))
      retries.progressed()
    }
    #expect(retries.pause(after: away, jitter: 0) != nil)
    #expect(retries.pause(after: away, jitter: 0) == nil)
  }

  @Test func theHubsOwnTimeIsTakenUnlessItIsTooLong() throws {
    var busy = away
    busy.retryAfter = .seconds(7)
    var retries = try retries()
    #expect(retries.pause(after: busy, jitter: 1) == .seconds(7))
    busy.retryAfter = .seconds(3_600)
    #expect(retries.pause(after: busy, jitter: 1) == nil)
  }

  @Test func whatNoSecondTryMendsIsNotTriedAgain() throws {
    var retries = try retries()
    #expect(retries.pause(after: HubError(.gated, "gated"), jitter: 1) == nil)
  }
}
