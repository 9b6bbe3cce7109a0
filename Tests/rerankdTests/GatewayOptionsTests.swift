import ArgumentParser
import GatewayRole
import Settings
import Testing

@testable import rerankd

@Suite struct GatewayOptionsTests {
  private func gateway(_ line: String) throws -> GatewayConfiguration {
    try DaemonConfiguration(file: "r.yaml", text: "gateway:\n  \(line)\n").gateway
  }

  @Test func flagsGoBeforeTheFile() throws {
    let command = try #require(
      try Rerankd.parseAsRoot(["gateway", "--listen", "127.0.0.1:1", "--token-file", "f"])
        as? GatewayCommand)
    let applied = try command.gateway.applied(to: gateway("listen: 127.0.0.1:2"))
    #expect(applied.port == 1)
    #expect(applied.tokenFile == "f")
    #expect(command.gateway.arguments == ["--listen", "127.0.0.1:1", "--token-file", "f"])
  }

  @Test func listeningBeyondTheMachineNeedsTokens() throws {
    let command = try #require(
      try Rerankd.parseAsRoot(["gateway", "--listen", "0.0.0.0:1"]) as? GatewayCommand)
    let error = #expect(throws: ConfigurationError.self) {
      try command.gateway.applied(to: gateway("metrics_open: true"))
    }
    #expect(error?.key == "gateway.token_file")
  }
}
