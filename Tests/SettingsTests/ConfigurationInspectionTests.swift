import Foundation
import TestSupport
import Testing

@testable import Settings

@Suite struct ConfigurationInspectionTests {
  private func findings(
    _ text: String, environment: [String: String] = [:]
  ) throws -> [ConfigurationFinding] {
    try DaemonConfiguration(file: "r.yaml", text: text).inspect(environment: environment)
  }

  @Test func aSecretThatOthersCanReadIsAnErrorWithItsMend() throws {
    let folder = try TemporaryFolder("inspection")
    try folder.write("secret", to: "key")
    let path = folder.path("key")
    let text = "queue: { sockets: { curve_secret_key_file: \(path) } }"
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    let found = try findings(text)
    #expect(found.map(\.key) == ["queue.sockets.curve_secret_key_file"])
    #expect(found.first?.place == "r.yaml:1")
    #expect(found.first?.message.contains("chmod 600") == true)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    #expect(try findings(text) == [])
  }

  @Test func filesAndFoldersThatAreMissingAreNamed() throws {
    let found = try findings(
      """
      models: [{ name: m, folder: /no/such, context_tokens: 9, reserved_tokens: 1 }]
      queue: { ledger: { path: /no/such/ledger.sqlite } }
      gateway: { token_file: /no/such/tokens }
      """)
    #expect(
      found.map(\.key) == ["models[0].folder", "queue.ledger.path", "gateway.token_file"])
    #expect(found.map(\.level) == [.warning, .error, .error])
  }

  @Test func aBackendIsAskedForItsTokenAndForAModel() throws {
    let text = """
      models: [{ name: m, backend: hub }]
      backends:
        - { name: hub, base_url: "https://hub.example", token_env: HUB_TOKEN }
        - { name: idle, base_url: "https://idle.example" }
      """
    #expect(try findings(text).map(\.key) == ["backends[0].token_env", "backends[1].name"])
    #expect(
      try findings(text, environment: ["HUB_TOKEN": "t"]).map(\.key) == ["backends[1].name"])
  }

  @Test func credentialsInAnAddressAreNotShown() {
    let setting = Setting(
      key: "k", value: "http://user:word@host:1/x", origin: .builtInDefault)
    #expect(setting.shownValue == "http://…@host:1/x")
  }
}
