import QueueRole
import Testing

@testable import Settings

/// What the queue is told of backends and fallbacks.
struct QueueSettingsTests {
  private static let file = """
    models:
      - { name: remote, backend: hub, fallbacks: [second, builtin] }
      - { name: second, backend: other }
      - { name: builtin }
    backends:
      - { name: hub, base_url: "https://hub.example", requests_per_minute: 60,
          tokens_per_minute: 90000, concurrent_requests_max: 3 }
      - { name: other, base_url: "https://other.example" }
    queue:
      intake: { partial_scores_max: 1MiB }
      backends: { failures_in_a_row_max: 3, failure_percent_max: 25, requests_min: 4,
        requests_window: 8, rest: 2s, rest_cap: 30s, rest_max: 1h, credentials_rest: 10m,
        rate_window: 30s, permit_valid: 1s, permit_transit: 3s, permit_held_max: 5m,
        permits_waiting_max: 50 }
    """

  @Test func backendsCarryTheirLimitsAndModelsTheirFallbacks() throws {
    let queue = try DaemonConfiguration(file: "f", text: Self.file).queue
    #expect(queue.models.map(\.backend) == ["hub", "other", nil])
    #expect(queue.models.map(\.fallbacks) == [["second", "builtin"], [], []])
    #expect(queue.backends.map(\.name) == ["hub", "other"])
    #expect(
      queue.backends[0].limits
        == BackendLimits(
          requestsPerMinuteMax: 60, tokensPerMinuteMax: 90_000, concurrentRequestsMax: 3))
    #expect(queue.backends[1].limits.requestsPerMinuteMax == nil)
    #expect(queue.firstProblem == nil)
  }

  @Test func everyKeyOfBackendsIsRead() throws {
    let queue = try DaemonConfiguration(file: "f", text: Self.file).queue
    var breaker = BreakerSettings()
    breaker.failuresInARowMax = 3
    breaker.failureShareMax = 0.25
    breaker.requestsMin = 4
    breaker.requestsWindow = 8
    breaker.restMs = 2_000
    breaker.restCapMs = 30_000
    #expect(queue.breaker == breaker)
    #expect(queue.backendRestMaxMs == 3_600_000 && queue.credentialsRestMs == 600_000)
    #expect(queue.rateWindowMs == 30_000 && queue.permitValidMs == 1_000)
    #expect(queue.permitTransitMs == 3_000 && queue.permitHeldMaxMs == 300_000)
    #expect(queue.permitsWaitingMax == 50)
    #expect(queue.shell.intake.partialScoresBytesMax == 1 << 20)
  }

  @Test(arguments: ["[remote]", "[absent]", "[builtin, builtin]"])
  func fallbackIsAnotherModelNamedOnce(fallbacks: String) {
    let text = Self.file.replacing("[second, builtin]", with: fallbacks)
    #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration(file: "f", text: text)
    }
  }

  @Test func modelsOfTheBinaryHaveNoFallbacks() {
    #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration(
        file: "f", text: "models: [{ name: a, fallbacks: [b] }, { name: b }]")
    }
  }
}
