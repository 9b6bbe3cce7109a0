import RerankdClient
import Testing

@testable import GatewayRole

@Suite struct GatewayConfigurationTests {
  private func problem(_ change: (inout GatewayConfiguration) -> Void) throws -> String? {
    var configuration = GatewayConfiguration(
      queues: try ShardedConfiguration(endpoints: ["tcp://127.0.0.1:7801"]))
    change(&configuration)
    return configuration.firstProblem?.key
  }

  @Test func theDefaultsWork() throws {
    #expect(try problem { _ in } == nil)
  }

  @Test(arguments: ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
  func loopbackNeedsNoTokens(host: String) throws {
    #expect(try problem { $0.host = host } == nil)
  }

  @Test(arguments: ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "gateway"])
  func elsewhereNeedsTokens(host: String) throws {
    #expect(try problem { $0.host = host } == "token_file")
    #expect(
      try problem {
        $0.host = host
        $0.tokenFile = "tokens"
      } == nil)
  }

  @Test func everyBoundMustBeOne() throws {
    #expect(try problem { $0.requestsMax = 0 } == "requests_max")
    #expect(try problem { $0.bodyBytesTotalMax = $0.bodyBytesMax - 1 } == "bodies_max")
    #expect(try problem { $0.requestTimeoutMax = .seconds(1) } == "request_max")
    #expect(try problem { $0.idleTimeout = .zero } == "idle")
    #expect(try problem { $0.certificateFile = "cert.pem" } == "tls")
    #expect(try problem { $0.port = 70_000 } == "listen")
  }
}
