import EmbeddedEngine
import Foundation
import Ledger
import QueueRole
import RemoteEngine
import Testing
import WorkerRole

@testable import Settings

@Suite struct DaemonConfigurationTests {
  private var annotatedFile: String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "deploy/rerankd.yaml").path
  }

  @Test func theAnnotatedFileSaysTheDefaults() throws {
    let defaults = try DaemonConfiguration.load(ConfigurationLayers(path: nil))
    let annotated = try DaemonConfiguration.load(ConfigurationLayers(path: annotatedFile))
    #expect(annotated.models == defaults.models)
    #expect(annotated.backends == defaults.backends)
    #expect("\(annotated.queue)" == "\(defaults.queue)")
    #expect("\(annotated.gateway)" == "\(defaults.gateway)")
    #expect(annotated.worker.queues == defaults.worker.queues)
    #expect(annotated.worker.embedded == defaults.worker.embedded)
    var worker = annotated.worker.worker
    // Made anew for every process.
    worker.workerID = defaults.worker.worker.workerID
    #expect(worker == defaults.worker.worker)
    #expect(annotated.up == defaults.up)
    #expect(annotated.log == defaults.log)
  }

  /// What stands in the file as a comment works when it is taken in.
  @Test func theAnnotatedFilesExamplesWork() throws {
    let text = try String(contentsOfFile: annotatedFile, encoding: .utf8)
      .replacing("backends: []", with: "backends:")
      .replacing("\n#  ", with: "\n  ")
      .split(separator: "\n", omittingEmptySubsequences: false)
      // Those that stand for a value of one's own, or exclude another.
      .filter {
        !$0.contains(": …") && !$0.contains("token_file:") && !$0.contains(" secret_key_file:")
      }
      .joined(separator: "\n")
    let configuration = try DaemonConfiguration(file: "r.yaml", text: text)
    #expect(configuration.models.count == 3)
    #expect(configuration.backends.map(\.name) == ["hub"])
    #expect(configuration.queue.shell.curveSecretKeyPath == "/etc/rerankd/queue.key")
  }

  private func problems(
    _ text: String, environment: [String: String] = [:], flags: [FlagValue] = []
  ) -> [ConfigurationError] {
    let error = #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration(
        file: "r.yaml", text: text,
        ConfigurationLayers(
          path: nil, environment: environment, flags: flags, roles: [.queue, .gateway]))
    }
    return error?.all ?? []
  }

  @Test func valuesThatContradictOneAnotherAreNamedByTheFilesKeys() {
    let error = problems("queue:\n  retries:\n    base: 10s\n    cap: 1s\n").first
    #expect(error?.key == "queue.retries.cap")
    #expect(error?.place == "r.yaml:4")
    #expect(error?.message == "must not be below retries.base")
    let outbox = problems("queue: { sockets: { outbox_per_peer: 1MiB } }").first
    #expect(outbox?.key == "queue.sockets.outbox_per_peer")
    #expect(outbox?.message.contains("must be at least") == true)
  }

  @Test func theEnvironmentGoesBeforeTheFileAndFlagsBeforeIt() throws {
    let file = "queue: { shard: 1, ledger: { path: f } }\nworker: { queues: [\"tcp://a:1\"] }\n"
    let environment = [
      "RERANKD_QUEUE__SHARD": "2", "RERANKD_QUEUE__LEDGER__PATH": "e",
      "RERANKD_WORKER__QUEUES": "tcp://b:1,tcp://c:1", "RERANKD_QUEUE_PORT": "tcp://10.0.0.1:80",
    ]
    let layers = ConfigurationLayers(
      path: nil, environment: environment,
      flags: [FlagValue("--ledger", for: "queue.ledger.path", "g")])
    let read = try DaemonConfiguration(file: "r.yaml", text: file, layers)
    #expect(read.queue.shard == 2)
    #expect(read.queue.ledger.path == "g")
    #expect(read.worker.queues == ["tcp://b:1", "tcp://c:1"])
    let origins = Dictionary(uniqueKeysWithValues: read.settings.map { ($0.key, $0) })
    #expect(origins["queue.shard"]?.origin == .environment("RERANKD_QUEUE__SHARD"))
    #expect(origins["queue.ledger.path"]?.origin == .flag("--ledger"))
    #expect(origins["queue.workers.lease"]?.origin == .builtInDefault)
    #expect(origins["queue.workers.lease"]?.value == "30s")
    #expect(origins["queue.admission.live_bytes_max"]?.value == "16GiB")
  }

  @Test func theEnvironmentCanDeclareModelsAndBackends() throws {
    let layers = ConfigurationLayers(
      path: nil,
      environment: [
        "RERANKD_MODELS__0__NAME": "m", "RERANKD_MODELS__0__BACKEND": "hub",
        "RERANKD_BACKENDS__0__NAME": "hub", "RERANKD_BACKENDS__0__BASE_URL": "https://hub.example",
        "RERANKD_BACKENDS__0__TOKEN_ENV": "HUB_TOKEN",
      ])
    let read = try DaemonConfiguration.load(layers)
    #expect(read.models.map(\.name) == ["m"])
    #expect(read.backends.map(\.name) == ["hub"])
  }

  @Test func wrongVariablesAndFlagsAreNamed() {
    let found = problems(
      "", environment: ["RERANKD_QUEUE__SHARD": "x", "RERANKD_QUEUE__SHARDS": "1"],
      flags: [FlagValue("--lanes", for: "worker.lanes", "0")])
    let places = ["RERANKD_QUEUE__SHARD", "RERANKD_QUEUE__SHARDS", "--lanes"]
    #expect(Set(found.map(\.place)) == Set(places))
  }

  @Test func aModelOfABackendWithProblemsIsNotToBlame() {
    let found = problems(
      """
      models: [{ name: a, backend: hub }, { name: b, backend: none }]
      backends: [{ name: hub }]
      """)
    #expect(found.map(\.key) == ["backends[0].base_url", "models[1].backend"])
    #expect(found.map(\.place) == ["r.yaml:2", "r.yaml:1"])
  }

  @Test func aMissingFileIsAnError() {
    #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration.load(ConfigurationLayers(path: "/no/such/rerankd.yaml"))
    }
  }
}
