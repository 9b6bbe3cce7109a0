import ArgumentParser
import GatewayRole
import Settings
import Testing

@testable import rerankd

@Suite struct GatewayOptionsTests {
  private func load(_ line: String, _ arguments: [String]) throws -> GatewayConfiguration {
    let flags = try GatewayOptions.parse(arguments).flags
    return try DaemonConfiguration(
      file: "r.yaml", text: "gateway:\n  \(line)\n",
      ConfigurationLayers(path: nil, flags: flags, roles: [.gateway])
    ).gateway
  }

  @Test func flagsGoBeforeTheFile() throws {
    let arguments = ["--listen", "127.0.0.1:1", "--token-file", "f"]
    let applied = try load("listen: 127.0.0.1:2", arguments)
    #expect(applied.port == 1)
    #expect(applied.tokenFile == "f")
    #expect(try GatewayOptions.parse(arguments).arguments == arguments)
  }

  @Test func listeningBeyondTheMachineNeedsTokens() {
    let error = #expect(throws: ConfigurationError.self) {
      try load("ui: true", ["--listen", "0.0.0.0:1"])
    }
    #expect(error?.key == "gateway.token_file")
  }

  @Test func limitsThatContradictOneAnotherAreNamedByTheirPath() {
    let error = #expect(throws: ConfigurationError.self) {
      try load("limits: { body_max: 2MiB, bodies_max: 1MiB }", [])
    }
    #expect(error?.key == "gateway.limits.bodies_max")
    #expect(error?.place == "r.yaml:2")
  }
}
