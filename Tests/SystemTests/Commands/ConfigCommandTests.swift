import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl config`: no process of Rerankd runs.
  @Suite struct ConfigCommandTests {
    private func config(
      _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> ControlOutput {
      try await ControlOutput.of(["config"] + arguments, environment: environment)
    }

    @Test func checkSaysAllThatIsWrongWithLineAndKey() async throws {
      let folder = try TemporaryFolder("config")
      let file = folder.path("r.yaml")
      try folder.write(
        "queue:\n  shard: many\n  leese: 1s\nmodels: [{ name: m, backend: none }]\n", to: "r.yaml")
      let result = try await config(["check", file, "--output", "json"])
      #expect(result.exit == .status(65))
      let findings = try result.json(as: "config-check").items
      #expect(
        findings.map { $0["key"].text } == ["models[0].backend", "queue.shard", "queue.leese"])
      #expect(findings.map { $0["place"].text } == ["\(file):4", "\(file):2", "\(file):3"])
      #expect(findings.allSatisfy { $0["level"].text == "error" })
      let table = try await config(["check", file])
      #expect(table.exit == .status(65))
      #expect(table.rows[0] == ["LEVEL", "WHERE", "KEY", "WHAT"])
      #expect(table.rows[2][..<3] == ["error", "\(file):2", "queue.shard"])
    }

    @Test func checkOfTheAnnotatedFileIsClean() async throws {
      let file = PackageFolder.url.appending(path: "deploy/rerankd.yaml").path
      let result = try await config(["check", file])
      #expect(result.exit == .status(0))
      #expect(result.error.contains("nothing is wrong"))
    }

    @Test func showNamesTheOriginOfEachValue() async throws {
      let folder = try TemporaryFolder("config")
      let file = folder.path("r.yaml")
      try folder.write("queue: { shard: 3 }\n", to: "r.yaml")
      let result = try await config(
        ["show", "--output", "jsonl"],
        environment: ["RERANKD_CONFIG": file, "RERANKD_QUEUE__RETRIES__CAP": "90s"])
      #expect(result.exit == .status(0))
      let settings = try result.lines(as: "config-show")
      func setting(_ key: String) throws -> JSON {
        try #require(settings.first { $0["key"].text == key })
      }
      #expect(try setting("queue.shard")["origin"].text == "\(file):1")
      #expect(try setting("queue.retries.cap")["value"].text == "90s")
      #expect(try setting("queue.retries.cap")["origin"].text == "RERANKD_QUEUE__RETRIES__CAP")
      #expect(try setting("queue.retries.base")["value"].text == "1s")
      #expect(try setting("queue.retries.base")["origin"].text == "default")
      let changed = try await config(["show", "--changed", file])
      #expect(changed.rows == [["KEY", "VALUE", "WHERE"], ["queue.shard", "3", "\(file):1"]])
    }
  }
}
