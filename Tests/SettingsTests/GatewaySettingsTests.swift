import GatewayRole
import Testing

@testable import Settings

@Suite struct GatewaySettingsTests {
  private func gateway(_ lines: String) throws -> GatewayConfiguration {
    let text = "models: [{ name: m }]\ngateway:\n" + lines
    return try DaemonConfiguration(file: "r.yaml", text: text).gateway
  }

  @Test func everyKeyIsRead() throws {
    let read = try gateway(
      """
        listen: "[::1]:1234"
        queues: [tcp://127.0.0.1:9]
        token_file: /t
        default_model: m
        tls: { certificate_file: /c, key_file: /k }
        limits: { connections_max: 1, requests_max: 2, header_max: 3KiB, headers_max: 4, body_max: 5MiB,
          bodies_max: 6MiB, documents_max: 7, tokens_max: 8 }
        times: { idle: 1s, body: 2s, response: 3s, request: 4s, request_max: 5s, ready: 6s,
          overload_retry_after: 7s, token_file_check: 8s, shutdown_grace: 9s }
      """)
    #expect(read.host == "::1")
    #expect(read.port == 1234)
    #expect(read.tokenFile == "/t")
    #expect(read.defaultModel == "m")
    #expect(read.certificateFile == "/c")
    #expect(read.keyFile == "/k")
    #expect([read.connectionsMax, read.requestsMax, read.headersMax] == [1, 2, 4])
    #expect([read.headerBytesMax, read.bodyBytesMax] == [3 << 10, 5 << 20])
    #expect([read.bodyBytesTotalMax, read.documentsMax, read.tokensMax] == [6 << 20, 7, 8])
    #expect(
      [
        read.idleTimeout, read.bodyTimeout, read.responseTimeout, read.requestTimeout,
        read.requestTimeoutMax, read.readyTimeout, read.overloadRetryAfter,
        read.tokenFileCheckInterval, read.shutdownGrace,
      ] == (1...9).map { .seconds($0) })
  }

  @Test func theFirstModelIsTheDefault() throws {
    let file = try DaemonConfiguration(file: "r.yaml", text: "models: [{ name: a }, { name: b }]")
    #expect(file.gateway.defaultModel == "a")
  }

  @Test(arguments: ["7880", "127.0.0.1", "127.0.0.1:x", ":80", "127.0.0.1:70000"])
  func whatIsNoAddressIsAnErrorWithItsKey(listen: String) {
    let error = #expect(throws: ConfigurationError.self) { try gateway("  listen: \"\(listen)\"") }
    #expect(error?.key == "gateway.listen")
  }

  @Test func noMoreRequestsThanOneConnectionToTheQueueTakes() {
    #expect(throws: ConfigurationError.self) {
      try gateway("  limits: { requests_max: 1024 }")
    }
  }
}
