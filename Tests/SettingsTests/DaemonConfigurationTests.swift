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
    let defaults = try DaemonConfiguration.load(path: nil)
    let annotated = try DaemonConfiguration.load(path: annotatedFile)
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
  }

  /// What stands in the file as a comment works when it is taken in.
  @Test func theAnnotatedFilesExamplesWork() throws {
    let text = try String(contentsOfFile: annotatedFile, encoding: .utf8)
      .replacing("backends: []", with: "backends:")
      .replacing("\n#  ", with: "\n  ")
      .split(separator: "\n", omittingEmptySubsequences: false)
      // Those that stand for a value of one's own, or exclude another.
      .filter { !$0.contains(": …") && !$0.contains("token_file:") }
      .joined(separator: "\n")
    let configuration = try DaemonConfiguration(file: "r.yaml", text: text)
    #expect(configuration.models.count == 3)
    #expect(configuration.backends.map(\.name) == ["hub"])
    #expect(configuration.queue.shell.curveSecretKeyPath == "/etc/rerankd/queue.key")
  }

  @Test func aValueThatNoQueueCanWorkWithIsAnErrorNamingItsKey() throws {
    let configuration = try DaemonConfiguration(
      file: "r.yaml", text: "queue:\n  retries:\n    base: 10s\n    cap: 1s\n")
    #expect(configuration.queue.firstProblem?.key == "retryCapMs")
  }

  @Test func aMissingFileIsAnError() {
    #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration.load(path: "/no/such/rerankd.yaml")
    }
  }
}
