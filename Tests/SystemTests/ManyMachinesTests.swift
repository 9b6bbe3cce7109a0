import Foundation
import Glibc
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// A queue on one host, workers on two others, and producers on a fourth; tcp and CURVE between.
  @Suite(
    .enabled(
      if: NetworkHosts.areToBeHad,
      "network namespaces cannot be made here: they take root and iproute2"))
  struct ManyMachinesTests {
    private static let jobs = 120

    private struct Status: Decodable {
      struct Counters: Decodable {
        var submitted: UInt64
        var succeeded: UInt64
        var leasesLost: UInt64
      }
      var counters: Counters
    }

    private struct Worker: Decodable {
      var workerId: String
      var heldJobs: UInt32
    }

    private struct Outcome: Decodable {
      var jobId: String
      var state: String
    }

    /// Everything that a machine of its own would have: files, keys and a process.
    private struct Site {
      let hosts: NetworkHosts
      let folder: TemporaryFolder
      let queueKey: String

      init() async throws {
        hosts = try NetworkHosts(["q", "w1", "w2", "p"])
        folder = try TemporaryFolder("site")
        var keys: [String: String] = [:]
        for name in ["queue", "worker", "producer", "operator"] {
          struct Made: Decodable { var publicKey: String }
          let made = try await ControlOutput.of(
            ["keys", "generate", folder.path("\(name).key"), "-o", "jsonl"])
          keys[name] = try made.json(Made.self).publicKey
        }
        queueKey = keys["queue"] ?? ""
        for (name, role) in [
          ("worker", "worker"), ("producer", "producer"), ("operator", "control"),
        ] {
          _ = try await ControlOutput.of([
            "keys", "authorize", name, role, "--key", keys[name] ?? "", "--list",
            folder.path("authorized_keys"),
          ])
        }
        let address = hosts.address(of: "q")
        try folder.write(
          """
          queue:
            metrics: { listen: "off" }
            ledger: { path: \(folder.path("ledger.sqlite")) }
            sockets:
              producers: tcp://\(address):7801
              workers: tcp://\(address):7802
              intake: "off"
              peer_silence: 3s
              curve_secret_key_file: \(folder.path("queue.key"))
              authorized_keys_file: \(folder.path("authorized_keys"))
            workers: { heartbeat: 500ms, lease: 3s, reattach_grace: 2s }
            replies: { lease: 3s }
          worker:
            metrics: { listen: "off" }
            lanes: 1
            queues: ["tcp://\(address):7802"]
            queue_public_key: "\(queueKey)"
            secret_key_file: \(folder.path("worker.key"))
          """, to: "rerankd.yaml")
      }

      func start(on host: String, _ program: String, _ arguments: [String]) throws -> ChildProcess {
        let command = try hosts.command(on: host, program)
        return try ChildProcess(command.path, arguments: command.arguments + arguments)
      }

      func startWorker(on host: String) throws -> ChildProcess {
        try start(
          on: host, "rerankd", ["worker", "--config", folder.path("rerankd.yaml"), "--id", host])
      }

      /// rerankctl on a host, with somebody's key.
      func arguments(as name: String, _ arguments: [String]) -> [String] {
        arguments + [
          "--endpoint", "tcp://\(hosts.address(of: "q")):7801", "--queue-key", queueKey,
          "--key-file", folder.path("\(name).key"),
        ]
      }

      func control(on host: String, as name: String, _ said: [String]) async throws -> ControlOutput
      {
        try await ControlOutput.of(start(on: host, "rerankctl", arguments(as: name, said)))
      }

      func workers() async throws -> [Worker] {
        try await control(on: "q", as: "operator", ["workers", "list", "-o", "json"])
          .json([Worker].self)
      }

      func status() async throws -> Status.Counters {
        try await control(on: "q", as: "operator", ["status", "-o", "json"])
          .json(Status.self).counters
      }
    }

    @Test func hostThatIsCutOffAndComesBackCostsNoJob() async throws {
      let site = try await Site()
      let queue = try site.start(
        on: "q", "rerankd", ["queue", "--config", site.folder.path("rerankd.yaml")])
      // Until then rerankctl says that there is none, and ends.
      try await queue.line(containing: "queue ready", on: .error, timeout: .seconds(60))
      let workers = try ["w1", "w2"].map { try site.startWorker(on: $0) }
      defer { for process in workers + [queue] { process.signal(SIGKILL) } }
      try await eventually("both workers", timeout: .seconds(60)) {
        try await site.workers().map(\.workerId).sorted() == ["worker/w1", "worker/w2"]
      }
      let lines = (0..<Self.jobs).map { number in
        let documents = (0..<40).map { "\"document \($0) of job \(number) about glaciers\"" }
        return """
          {"query": "how do glaciers move?", "documents": [\(documents.joined(separator: ","))], \
          "idempotency_key": "k-\(number)"}
          """
      }
      let file = try site.folder.write(lines.joined(separator: "\n") + "\n", to: "jobs.jsonl")
      let submitted = try await site.control(
        on: "p", as: "producer", ["submit", file, "--reply-channel", "mine"])
      try #require(submitted.exit == .status(0), "\(submitted.error)")
      let consumer = try site.start(
        on: "p", "rerankctl",
        site.arguments(
          as: "producer", ["results", "--reply-channel", "mine", "--follow", "-o", "jsonl"]))
      defer { consumer.signal(SIGKILL) }

      try await eventually("work at both hosts") {
        let held = try await site.workers()
        return held.count == 2 && held.allSatisfy { $0.heldJobs > 0 }
      }
      try site.hosts.connect("w2", false)
      try await eventually("that its jobs are taken from it", timeout: .seconds(60)) {
        try await site.status().leasesLost > 0
      }
      // The producers' host is cut off as well, for a while.
      try site.hosts.connect("p", false)
      try await eventually("that half is done", timeout: .seconds(120)) {
        try await site.status().succeeded >= UInt64(Self.jobs / 2)
      }
      try site.hosts.connect("p", true)
      try site.hosts.connect("w2", true)
      try await eventually("both workers again", timeout: .seconds(60)) {
        try await site.workers().count == 2
      }

      try await eventually("an outcome of each job", timeout: .seconds(120)) {
        Set(try outcomes(of: consumer).map(\.jobId)).count == Self.jobs
      }
      #expect(try outcomes(of: consumer).allSatisfy { $0.state == "succeeded" })
      let counters = try await site.status()
      #expect(counters.submitted == UInt64(Self.jobs))
      #expect(counters.succeeded == UInt64(Self.jobs))
      queue.signal(SIGTERM)
      #expect(try await queue.waitForExit(timeout: .seconds(30)) == .status(0))
    }

    private func outcomes(of consumer: ChildProcess) throws -> [Outcome] {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let lines = consumer.text(of: .output)
        .split(separator: "\n", omittingEmptySubsequences: false)
      // The last one may be under way.
      return try lines.dropLast().map { try decoder.decode(Outcome.self, from: Data($0.utf8)) }
    }
  }
}
