import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl keys`, and what a queue makes of the lists that it writes.
  @Suite struct KeysCommandTests {
    private struct Listed: Decodable, Equatable {
      var name: String
      var role: String
      var publicKey: String
      var tenants: [String]?
    }

    private struct Public: Decodable, Equatable {
      var file: String
      var publicKey: String
    }

    @Test func secretsAreNewFilesOfTheirOwnerAlone() async throws {
      let system = try RunningSystem()
      let files = ["a.key", "b.key"].map { system.folder.path($0) }
      let made = try await system.control(["keys", "generate"] + files + ["-o", "json"])
      let keys = try made.json([Public].self)
      #expect(keys.map(\.file) == files && Set(keys.map(\.publicKey)).count == 2)
      for file in files {
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(!made.output.contains(try String(contentsOfFile: file, encoding: .utf8).prefix(40)))
      }
      let shown = try await system.control(["keys", "public"] + files + ["-o", "json"])
      #expect(try shown.json([Public].self) == keys)
      _ = try shown.json(as: "keys-public")

      let former = try String(contentsOfFile: files[1], encoding: .utf8)
      let again = try await system.control(
        ["keys", "generate", system.folder.path("c.key"), files[1]])
      #expect(again.exit == .status(65) && again.error.contains("b.key exists already"))
      #expect(!FileManager.default.fileExists(atPath: system.folder.path("c.key")))
      #expect(try String(contentsOfFile: files[1], encoding: .utf8) == former)

      #expect(chmod(files[0], 0o644) == 0)
      let open = try await system.control(["keys", "public", files[0]])
      #expect(open.exit == .status(65) && open.error.contains("chmod 600"))
    }

    @Test func listsAreWrittenReadAndCutByName() async throws {
      let system = try RunningSystem()
      let list = system.folder.path("authorized_keys")
      let key = try await system.generateKey("some")
      func keys(_ arguments: [String]) async throws -> ControlOutput {
        try await system.control(["keys"] + arguments + ["--list", list])
      }

      #expect(try await keys(["list"]).exit == .status(65))
      let authorized = try await keys(
        ["authorize", "shop", "producer", "--key", key, "--tenant", "shop", "--tenant", "blog"])
      #expect(authorized.exit == .status(0), "\(authorized.error)")
      let other = try await system.generateKey("other")
      #expect(try await keys(["authorize", "w", "worker", "--key", other]).exit == .status(0))
      let listed = try await keys(["list", "-o", "json"])
      _ = try listed.json(as: "keys-list")
      #expect(
        try listed.json([Listed].self) == [
          Listed(name: "shop", role: "producer", publicKey: key, tenants: ["blog", "shop"]),
          Listed(name: "w", role: "worker", publicKey: other, tenants: nil),
        ])

      for (wrong, message) in [
        (["shop", "worker", "--key", other], "already"),
        (["x", "worker", "--key", key], "already"),
        (["x", "worker", "--key", "short"], "40 characters"),
        (["x/y", "worker", "--key", other], "name"),
        (["x", "worker", "--key", other, "--tenant", "a"], "tenants are for producers"),
      ] {
        let refused = try await keys(["authorize"] + wrong)
        #expect(refused.exit == .status(65) && refused.error.contains(message), "\(refused.error)")
      }
      #expect(try await keys(["authorize", "x", "king", "--key", other]).exit == .status(64))

      let dry = try await keys(["revoke", "shop", "--dry-run", "-o", "json"])
      #expect(try dry.json([Listed].self).map(\.name) == ["shop"])
      #expect(try await keys(["list", "-o", "json"]).json([Listed].self).count == 2)
      let unknown = try await keys(["revoke", "shop", "nobody"])
      #expect(unknown.exit == .status(65) && unknown.error.contains("nobody"))
      #expect(try await keys(["revoke", "shop"]).exit == .status(0))
      #expect(try await keys(["list", "-o", "json"]).json([Listed].self).map(\.name) == ["w"])
    }

    @Test func everyRoleMayWhatItsKeySays() async throws {
      try await KeyedSystem.run { keyed in
        try await keyed.system.startQueue()
        try await keyed.authorize("worker", "worker")
        try await keyed.authorize("shop", "producer", tenants: ["shop"])
        try keyed.system.startWorker("w0")
        try await keyed.system.waitForWorkers(1)

        let own = try await keyed.control(
          by: "shop", ["rerank", "capital", "Paris is one.", "Bread is not.", "--tenant", "shop"])
        #expect(own.exit == .status(0), "\(own.error)")
        let foreign = try await keyed.control(
          by: "shop", ["rerank", "capital", "Paris is one.", "--tenant", "blog"])
        #expect(foreign.exit == .status(1))
        #expect(foreign.error.contains("is not for tenant \"blog\""), "\(foreign.error)")
        let status = try await keyed.control(by: "shop", ["status"])
        #expect(status.exit == .status(1) && status.error.contains("role producer"))
        let pause = try await keyed.control(by: "worker", ["queue", "pause"])
        #expect(pause.exit == .status(1) && pause.error.contains("role worker"))

        let all = try await keyed.system.control(["workers", "list", "-o", "json"])
        struct Worker: Decodable { var workerId: String }
        #expect(try all.json([Worker].self).map(\.workerId) == ["worker/w0"], "\(all.output)")
      }
    }

    @Test func strangerSeesNothingAndARevokedKeyLosesWhatIsOpen() async throws {
      try await KeyedSystem.run { keyed in
        try await keyed.system.startQueue()
        _ = try await keyed.system.generateKey("stranger")
        let refused = try await keyed.control(by: "stranger", ["status", "--timeout", "2s"])
        #expect(refused.exit == .status(1) && refused.output == "")
        #expect(refused.error.contains("refuses this key"), "\(refused.error)")
        let unencrypted = try ChildProcess(
          "rerankctl",
          arguments: [
            "status", "--timeout", "2s", "--endpoint", keyed.system.producersEndpoint,
          ])
        #expect(try await unencrypted.waitForExit(timeout: .seconds(60)) == .status(69))

        try await keyed.authorize("worker", "worker")
        try keyed.system.startWorker("w0")
        try await keyed.system.waitForWorkers(1)
        let revoked = try await keyed.system.control(
          ["keys", "revoke", "worker", "--list", keyed.list])
        #expect(revoked.exit == .status(0), "\(revoked.error)")
        try await keyed.system.waitForWorkers(0)
      }
    }

    @Test func supervisorAndGatewayHaveKeysOfTheirOwn() async throws {
      try await KeyedSystem.run { keyed in
        try await keyed.authorize("worker", "worker")
        try await keyed.authorize("gateway", "control")
        let up = try keyed.system.start(
          "up",
          ["up", "--workers", "1", "--listen", "127.0.0.1:0", "--log-level", "info"]
            + keyed.system.queueArguments)
        let line = try await up.line(containing: "[GatewayRole] listening on", on: .error)
        let port = try #require(line.split(separator: ":").last.flatMap { Int($0) })
        try await keyed.system.waitForWorkers(1)
        let gateway = RunningGateway(process: up, port: port)
        let reply = try await gateway.curl(
          "/v1/rerank",
          json: #"{"model": "builtin", "query": "capital", "documents": ["Paris is one."]}"#)
        #expect(reply.status == 200, "\(reply.body)")
        // It tells the queue of what it keeps running, which takes the role control.
        let scaled = try await keyed.system.control(["workers", "scale", "2"])
        #expect(scaled.exit == .status(0), "\(scaled.error)")
        try await keyed.system.waitForWorkers(2)
      }
    }

    @Test(arguments: [
      (settings: "", flags: [], isRefused: true),
      (settings: "insecure: true", flags: [], isRefused: true),
      (settings: "", flags: ["--insecure"], isRefused: true),
      (settings: "insecure: true", flags: ["--insecure"], isRefused: false),
    ])
    func beyondTheMachineAQueueListensWithKeysOrWhenToldTwice(
      settings: String, flags: [String], isRefused: Bool
    ) async throws {
      let system = try RunningSystem(
        configuration: "queue: { sockets: { \(settings) } }")
      let queue = try system.start(
        "queue",
        [
          "queue", "--config", system.folder.path("rerankd.yaml"), "--ledger", system.ledgerPath,
          "--producer-endpoint", "tcp://0.0.0.0:*", "--worker-endpoint", system.workersEndpoint,
          "--intake-endpoint", "off", "--log-level", "info",
        ] + flags)
      if isRefused {
        #expect(try await queue.waitForExit(timeout: .seconds(60)) != .status(0))
        let said = queue.text(of: .error)
        #expect(said.contains("insecure") && said.contains("authorized_keys_file"), "\(said)")
        #expect(!FileManager.default.fileExists(atPath: system.ledgerPath))
      } else {
        _ = try await queue.line(containing: "tcp://0.0.0.0", on: .error)
        queue.signal(SIGTERM)
        #expect(try await queue.waitForExit(timeout: .seconds(60)) == .status(0))
      }
    }
  }
}
