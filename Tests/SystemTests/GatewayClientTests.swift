import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// Clients that people use, from the package index, and the check of the description. Where the
  /// index cannot be reached they say so and test nothing.
  @Suite struct GatewayClientTests {
    private func file(_ name: String) -> String {
      PackageFolder.url.appending(path: "Tests/SystemTests/Python/\(name)").path
    }

    @Test func realClientsTakeTheGatewayForTheHub() async throws {
      guard let environment = try await PythonEnvironment.folder("gateway") else { return }
      try await RunningSystem.run { system in
        let gateway = try await system.startGateway()
        let clients = try ChildProcess(
          "\(environment)/bin/python",
          arguments: [file("gateway_clients.py"), gateway.baseURL, RunningGateway.token])
        let exit = try await clients.waitForExit(timeout: .seconds(120))
        #expect(exit == .status(0), "\(clients.text(of: .error))")
        #expect(
          clients.text(of: .output).split(separator: "\n")
            == ["with_requests ok", "with_cohere ok", "with_openai ok"])
      }
    }

    @Test func everythingIsAsItsDescriptionSays() async throws {
      guard let environment = try await PythonEnvironment.folder("gateway") else { return }
      try await RunningSystem.run { system in
        let gateway = try await system.startGateway()
        // The models are a deployment's own. With this one's named, requests come as far as the
        // engine.
        let description = try String(
          contentsOf: PackageFolder.url.appending(path: "protocol/openapi.yaml"), encoding: .utf8
        ).replacing("examples: [builtin]", with: "enum: [builtin]")
        try #require(description.contains("enum: [builtin]"))
        let check = try ChildProcess(
          "\(environment)/bin/schemathesis",
          arguments: [
            "--config-file", file("gateway_schemathesis.toml"), "run",
            try system.folder.write(description, to: "openapi.yaml"),
            "--url", gateway.baseURL, "--header", "Authorization: Bearer \(RunningGateway.token)",
            "--max-examples", "10", "--max-time", "40", "--generation-deterministic", "--no-color",
            "--continue-on-failure",
          ], currentFolder: system.folder.url)
        let exit = try await check.waitForExit(timeout: .seconds(180))
        #expect(exit == .status(0), "\(check.text(of: .output).suffix(6_000))")
      }
    }
  }
}
