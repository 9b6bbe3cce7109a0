package import EmbeddedEngine
import RerankdProtocol
import Scoring
package import WorkerRole

/// The section `worker`: where its queues are, what it holds, and how its engine computes.
package struct WorkerSettings {
  /// One a shard; the credit is split over them.
  package var queues = [DefaultEndpoint.workers]
  /// 40 characters of Z85; needed where the queue has a CURVE key.
  package var queuePublicKey: String?
  package var worker: WorkerConfiguration
  package var embedded = EmbeddedEngineConfiguration()

  init(_ section: ConfigurationSection) throws {
    queues = try section.strings("queues") ?? queues
    guard !queues.isEmpty else {
      throw section.error("queues", "name at least one queue's endpoint for workers")
    }
    queuePublicKey = try section.string("queue_public_key")
    if let name = try section.string("precision") {
      guard let precision = PrecisionSetting(rawValue: name) else {
        let names = PrecisionSetting.allCases.map(\.rawValue).joined(separator: ", ")
        throw section.error("precision", "\"\(name)\" is none of \(names)")
      }
      embedded.precision = precision
    }
    try section.count("lanes", into: &embedded.laneCount, in: 1...1024)
    try section.count("chunk_tokens", into: &embedded.chunkTokensMax, in: 1...65_536)
    try section.size("prefix_memory", into: &embedded.prefixBytesMax)
    // A remote backend takes as many jobs as the embedded engine has lanes, at the least four.
    worker = WorkerConfiguration(
      workerID: try section.string("id"), lanes: max(4, embedded.laneCount))
    try section.count("credit_jobs", into: &worker.creditJobs, in: 1...4_096)
    try section.count(
      "window_overlap_tokens", into: &worker.windowLimits.overlapTokens, in: 0...100_000)
    try section.count(
      "document_windows_max", into: &worker.windowLimits.windowsMax, in: 1...100_000)
    try section.count(
      "passages_max", into: &worker.windowLimits.passagesMax, in: 1...10_000_000)
    try section.size("credit_bytes", into: &worker.creditBytes)
    try section.time("job_timeout", into: &worker.jobTimeout)
    worker.shutdownGrace = try section.duration("shutdown_grace") ?? worker.shutdownGrace
    try section.size("unsent_outcomes_max", into: &worker.unsentOutcomeBytesMax)
  }
}
