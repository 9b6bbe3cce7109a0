import Testing

@testable import QueueRole

@Suite struct CircuitBreakerTests {
  private func breaker(_ change: (inout BreakerSettings) -> Void = { _ in }) -> CircuitBreaker {
    var settings = BreakerSettings()
    change(&settings)
    return CircuitBreaker(settings: settings)
  }

  private func trips(_ breaker: inout CircuitBreaker, failures: Int) -> [Bool] {
    (0..<failures).map { _ in breaker.recordFailure() }
  }

  @Test func tripsAfterFailuresInARow() {
    var breaker = breaker()
    #expect(trips(&breaker, failures: 4) == [false, false, false, false])
    breaker.recordSuccess()
    #expect(trips(&breaker, failures: 5) == [false, false, false, false, true])
  }

  @Test func tripsWhenHalfOfTheLatestFail() {
    var breaker = breaker { $0.requestsWindow = 40 }
    // Many successes of long ago are no excuse.
    for _ in 0..<1_000 { breaker.recordSuccess() }
    var failures = 0
    while true {
      failures += 1
      if breaker.recordFailure() { break }
      breaker.recordSuccess()
    }
    #expect((19...21).contains(failures))
  }

  @Test func fewRequestsAreNoShare() {
    var breaker = breaker { $0.requestsMin = 10 }
    for _ in 0..<4 {
      #expect(trips(&breaker, failures: 1) == [false])
      breaker.recordSuccess()
    }
  }

  @Test func restsDoubleUpToTheCapAndBeginAnewAfterASuccess() {
    var breaker = breaker {
      $0.restMs = 1_000
      $0.restCapMs = 8_000
    }
    var random = SplitMix64(seed: 9)
    for fullMs: Int64 in [1_000, 2_000, 4_000, 8_000, 8_000] {
      let restMs = breaker.nextRestMs(random: &random)
      #expect((fullMs / 2...fullMs).contains(restMs))
    }
    breaker.reset()
    #expect(breaker.nextRestMs(random: &random) <= 1_000)
  }
}
