import Scoring
import Testing
import WorkerRole

struct WorkerConfigurationTests {
  @Test func defaultsAreValid() throws {
    let configuration = WorkerConfiguration(lanes: 2)
    try configuration.validate()
    #expect(configuration.creditJobs == 8)
  }

  @Test func defaultIDsArePrintableAndDiffer() {
    let ids = (0..<2).map { _ in WorkerConfiguration.defaultWorkerID() }
    #expect(ids[0] != ids[1])
    #expect(ids.allSatisfy { $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
    #expect(ids.allSatisfy { (1...128).contains($0.utf8.count) })
  }

  @Test func eachWrongValueIsNamedByItsKey() {
    #expect(invalidKey { $0.workerID = "" } == "worker_id")
    #expect(invalidKey { $0.workerID = "wörker" } == "worker_id")
    #expect(invalidKey { $0.workerID = String(repeating: "w", count: 129) } == "worker_id")
    #expect(invalidKey { $0.creditJobs = 0 } == "credit_jobs")
    #expect(invalidKey { $0.creditJobs = 4_097 } == "credit_jobs")
    #expect(invalidKey { $0.creditBytes = 0 } == "credit_bytes")
    #expect(invalidKey { $0.documentsMax = 0 } == "documents_max")
    #expect(invalidKey { $0.windowLimits.overlapTokens = -1 } == "window_overlap_tokens")
    #expect(invalidKey { $0.windowLimits.windowsMax = 0 } == "document_windows_max")
    #expect(invalidKey { $0.windowLimits.passagesMax = 0 } == "passages_max")
    #expect(invalidKey { $0.unsentOutcomeBytesMax = -1 } == "unsent_outcome_bytes_max")
    #expect(invalidKey { $0.jobTimeout = .zero } == "job_timeout")
    #expect(invalidKey { $0.releaseTimeout = .zero } == "release_timeout")
    #expect(invalidKey { $0.shutdownGrace = .seconds(-1) } == "shutdown_grace")
    #expect(invalidKey { $0.reattachBackoff = .zero } == "reattach_backoff")
    #expect(invalidKey { $0.reattachBackoff = .seconds(6) } == "reattach_backoff")
    #expect(invalidKey { $0.reattachBackoffMax = .zero } == "reattach_backoff_max")
    #expect(invalidKey { $0.modelRefreshInterval = .zero } == "model_refresh_interval")
  }

  private func invalidKey(_ change: (inout WorkerConfiguration) -> Void) -> String? {
    var configuration = WorkerConfiguration(workerID: "w")
    change(&configuration)
    do {
      try configuration.validate()
      return nil
    } catch {
      return error.key
    }
  }
}
