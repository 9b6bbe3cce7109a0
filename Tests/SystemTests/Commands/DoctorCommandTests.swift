import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl doctor`, on this machine with one thing made wrong.
  @Suite struct DoctorCommandTests {
    private struct Check: Decodable {
      var name: String
      var state: String
      var what: String
      var mend: String?
    }

    private struct Diagnosis {
      var exit: ChildProcess.Exit
      var checks: [Check]

      func checks(_ name: String) -> [Check] { checks.filter { $0.name == name } }
      func states(_ name: String) -> [String] { checks(name).map(\.state) }
    }

    /// A configuration with which nothing is wrong.
    private struct Settings {
      let folder: TemporaryFolder
      var ledger: String
      var reserve = "1MiB"
      var producers: String
      var gateway = "127.0.0.1:0"
      var bodyCache = "16MiB"
      /// Of the gateway, and whole sections.
      var more = (gateway: "", sections: "")

      init() throws {
        folder = try TemporaryFolder("doctor")
        ledger = folder.path("ledger.sqlite")
        producers = "ipc://" + folder.path("producers")
      }

      func write() throws -> String {
        try folder.write(
          """
          queue:
            metrics: { listen: "off" }
            ledger: { path: "\(ledger)", free_space_reserve: \(reserve) }
            sockets:
              { producers: "\(producers)", workers: "ipc://\(folder.path("workers"))",
                intake: "off", peers_max: 16, body_cache: \(bodyCache), result_cache: 16MiB }
          gateway:
            listen: "\(gateway)"
            metrics: { listen: "off" }
            limits: { body_max: 1MiB, bodies_max: 16MiB }
          \(more.gateway)
          \(more.sections)
          """, to: "rerankd.yaml")
      }
    }

    /// - Parameter shell: goes before the command, in a shell of its own.
    private func doctor(
      _ settings: Settings, loadsModels: Bool = false, shell: String = ""
    ) async throws -> Diagnosis {
      let program = try ChildProcess.builtProduct("rerankctl").path
      let quick = loadsModels ? "" : "--quick"
      let process = try ChildProcess(
        "/bin/sh",
        arguments: [
          "-c", "\(shell) exec \"$0\" doctor \(quick) -o json --config \"$1\"", program,
          try settings.write(),
        ])
      let printed = try await ControlOutput.of(process)
      _ = try printed.json(as: "doctor")
      return Diagnosis(exit: printed.exit, checks: try printed.json([Check].self))
    }

    @Test func aSoundMachineHasNothingThatFails() async throws {
      let found = try await doctor(Settings(), loadsModels: true)
      #expect(found.exit == .status(0))
      #expect(found.checks.allSatisfy { $0.state != "failed" })
      for name in [
        "zeromq", "sqlite", "files", "memory", "configuration", "ledger", "disk", "listen", "model",
      ] { #expect(found.states(name).allSatisfy { $0 == "ok" } && !found.states(name).isEmpty) }
      #expect(found.states("processor").count == 1 && found.states("file system").count == 1)
      // None was started, and that alone is nothing wrong.
      #expect(found.states("queue") == ["warning"])
      #expect(found.checks.allSatisfy { ($0.mend == nil) == ($0.state == "ok") })
    }

    @Test func aLedgerWithoutAFolderFails() async throws {
      var settings = try Settings()
      settings.ledger = settings.folder.path("missing/ledger.sqlite")
      let found = try await doctor(settings)
      #expect(found.exit == .status(1))
      #expect(found.states("ledger") == ["failed"])
      #expect(found.checks("ledger").first?.mend?.contains("install -d") == true)
      // Said once.
      #expect(found.states("configuration") == ["ok"])
    }

    @Test(.enabled(if: FileManager.default.isWritableFile(atPath: "/dev/shm")))
    func aLedgerInMemoryIsWarnedOf() async throws {
      var settings = try Settings()
      settings.ledger = "/dev/shm/rerankd-doctor.sqlite"
      let found = try await doctor(settings)
      #expect(found.states("file system") == ["warning"])
      #expect(found.checks("file system").first?.what.contains("in memory") == true)
    }

    @Test func aDiskBelowTheReserveFails() async throws {
      var settings = try Settings()
      settings.reserve = "1000000GiB"
      let found = try await doctor(settings)
      #expect(found.exit == .status(1))
      #expect(found.states("disk") == ["failed"])
    }

    @Test func tooFewFilesFail() async throws {
      let found = try await doctor(Settings(), shell: "ulimit -n 200;")
      #expect(found.exit == .status(1))
      #expect(found.states("files") == ["failed"])
      #expect(found.checks("files").first?.mend?.contains("LimitNOFILE=288") == true)
    }

    @Test func cachesBeyondTheMemoryFail() async throws {
      var settings = try Settings()
      settings.bodyCache = "1000000GiB"
      #expect(try await doctor(settings).states("memory") == ["failed"])
    }

    @Test func anAddressThatSomebodyElseHasFails() async throws {
      let other = try FakeHub()
      var settings = try Settings()
      settings.gateway = "127.0.0.1:\(other.port)"
      settings.producers = "ipc:///nowhere/rerankd/producers"
      let found = try await doctor(settings)
      #expect(found.exit == .status(1))
      let failed = found.checks("listen").filter { $0.state == "failed" }
      #expect(failed.count == 2)
      #expect(failed.contains { $0.what.contains("\(other.port) (gateway.listen) is in use") })
      #expect(failed.contains { $0.what.contains("/nowhere/rerankd: No such file") })
      settings.gateway = "127.0.0.1:\(try FreePort.next())"
      #expect(try await doctor(settings).checks("listen").count { $0.state == "ok" } == 2)
    }

    @Test func aSecretThatOthersMayReadFailsUntilItsModeIsMended() async throws {
      var settings = try Settings()
      let token = try settings.folder.write("sha256:\(String(repeating: "0", count: 64))", to: "t")
      settings.more.gateway = "  token_file: \"\(token)\""
      let files = FileManager.default
      try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: token)
      let found = try await doctor(settings)
      #expect(found.exit == .status(1))
      #expect(found.states("secrets") == ["failed"])
      #expect(found.checks("secrets").first?.what.contains("chmod 600 \(token)") == true)
      try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token)
      #expect(try await doctor(settings).states("secrets") == ["ok"])
    }

    @Test func aWrongConfigurationFailsAndTheMachineIsLookedAtAllTheSame() async throws {
      var settings = try Settings()
      settings.more.sections = "nonsense: 1"
      let found = try await doctor(settings)
      #expect(found.exit == .status(1))
      #expect(found.states("configuration") == ["failed"])
      #expect(found.checks("configuration").first?.what.contains("nonsense") == true)
      #expect(found.states("zeromq") == ["ok"])
    }

    @Test func aModelThatCannotBeLoadedFails() async throws {
      var settings = try Settings()
      let model = settings.folder.url.appending(path: "tiny")
      let families = PackageFolder.url.appending(path: "Tests/Fixtures/families")
      try FileManager.default.copyItem(
        at: families.appending(path: "modernbert-cls"), to: model)
      settings.more.sections = "models: [{ name: tiny, folder: \"\(model.path)\" }]"
      #expect(try await doctor(settings, loadsModels: true).states("model") == ["ok"])
      let weights = model.appending(path: "model.safetensors")
      try Data(contentsOf: weights).dropLast(10).write(to: weights)
      let found = try await doctor(settings, loadsModels: true)
      #expect(found.exit == .status(1))
      #expect(found.states("model") == ["failed"])
      #expect(
        found.checks("model").first?.mend == "rerankctl models verify \(model.path)")
    }

    @Test func aQueueThatRunsIsAskedHowItIs() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let config = system.folder.path("rerankd.yaml")
        _ = try await system.control(["queue", "pause"])
        let found = try await system.control([
          "doctor", "--quick", "--config", config, "-o", "json",
        ])
        let checks = try found.json([Check].self)
        let queue = checks.filter { $0.name == "queue" }
        #expect(queue.map(\.state) == ["ok", "warning"])
        #expect(queue.last?.mend == "rerankctl queue resume")
        #expect(checks.filter { $0.name == "workers" }.map(\.state) == ["warning"])
      }
    }
  }
}
