package import EmbeddedEngine
package import Observability
import RerankdProtocol
import Scoring
package import WorkerRole
import ZeroMQ

/// The section `worker`: where its queues are, what it holds, and how its engine computes.
package struct WorkerSettings {
  /// One a shard; the credit is split over them.
  package var queues = [DefaultEndpoint.workers]
  package var keys: QueueKeys
  package var worker: WorkerConfiguration
  package var embedded = EmbeddedEngineConfiguration()
  package var metrics: MetricsListenerConfiguration

  init(_ section: ConfigurationSection) {
    metrics = MetricsListenerConfiguration(section, host: nil, port: 0)
    section.texts("queues", into: &queues)
    keys = QueueKeys(section, name: "worker")
    section.choice("precision", into: &embedded.precision)
    section.count("lanes", into: &embedded.laneCount, in: 1...1024)
    section.count("chunk_tokens", into: &embedded.chunkTokensMax, in: 1...65_536)
    section.size("prefix_memory", into: &embedded.prefixBytesMax)
    var id: String?
    section.text("id", into: &id)
    // A remote backend takes as many jobs as the embedded engine has lanes, at the least four.
    worker = WorkerConfiguration(workerID: id, lanes: max(4, embedded.laneCount))
    section.count("credit_jobs", into: &worker.creditJobs, in: 1...4_096)
    section.count(
      "window_overlap_tokens", into: &worker.windowLimits.overlapTokens, in: 0...100_000)
    section.count("document_windows_max", into: &worker.windowLimits.windowsMax, in: 1...100_000)
    section.count("passages_max", into: &worker.windowLimits.passagesMax, in: 1...10_000_000)
    section.size("credit_bytes", into: &worker.creditBytes)
    section.time("job_timeout", into: &worker.jobTimeout)
    section.time("shutdown_grace", into: &worker.shutdownGrace, atLeast: .zero)
    section.size("unsent_outcomes_max", into: &worker.unsentOutcomeBytesMax)
    // One worker a shard: the credit is split over them, so that the sum is what the machine holds.
    section.noting {
      guard !queues.isEmpty else {
        throw section.error("queues", "name at least one queue's endpoint for workers")
      }
      guard worker.creditJobs >= queues.count else {
        throw section.error(
          "credit_jobs", "must be at least the number of queues, \(queues.count)")
      }
      for queue in queues {
        do {
          _ = try Endpoint(queue)
        } catch {
          throw section.error("queues", "\"\(queue)\": \(error)")
        }
      }
    }
  }
}
