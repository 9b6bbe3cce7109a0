import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl config`: no process of Rerankd runs.
  @Suite struct ConfigCommandTests {
    private struct Finding: Decodable {
      var level: String
      var place: String?
      var key: String
    }

    private struct Setting: Decodable {
      var key: String
      var value: String?
      var origin: String
    }

    private func config(
      _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (exit: ChildProcess.Exit, output: Data, error: String) {
      let process = try ChildProcess(
        "rerankctl", arguments: ["config"] + arguments, environment: environment)
      let exit = try await process.waitForExit(timeout: .seconds(30))
      return (exit, Data(process.text(of: .output).utf8), process.text(of: .error))
    }

    @Test func checkSaysAllThatIsWrongWithLineAndKey() async throws {
      let folder = try TemporaryFolder("config")
      let file = folder.path("r.yaml")
      try folder.write(
        "queue:\n  shard: many\n  leese: 1s\nmodels: [{ name: m, backend: none }]\n", to: "r.yaml")
      let result = try await config(["check", file, "--output", "json"])
      #expect(result.exit == .status(65))
      let findings = try JSONDecoder().decode([Finding].self, from: result.output)
      #expect(findings.map(\.key) == ["models[0].backend", "queue.shard", "queue.leese"])
      #expect(findings.map(\.place) == ["\(file):4", "\(file):2", "\(file):3"])
      #expect(findings.allSatisfy { $0.level == "error" })
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
        ["show", "--output", "json"],
        environment: ["RERANKD_CONFIG": file, "RERANKD_QUEUE__RETRIES__CAP": "90s"])
      #expect(result.exit == .status(0))
      let settings = try JSONDecoder().decode([Setting].self, from: result.output)
      func setting(_ key: String) throws -> Setting {
        try #require(settings.first { $0.key == key })
      }
      #expect(try setting("queue.shard").origin == "\(file):1")
      #expect(try setting("queue.retries.cap").value == "90s")
      #expect(try setting("queue.retries.cap").origin == "RERANKD_QUEUE__RETRIES__CAP")
      #expect(try setting("queue.retries.base").value == "1s")
      #expect(try setting("queue.retries.base").origin == "default")
    }
  }
}
