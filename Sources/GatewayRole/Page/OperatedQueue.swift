import RerankdClient
import RerankdProtocol

/// What the page asks of a queue: the part of `QueueClient` that is for operators, so that tests can
/// stand in for it.
protocol OperatedQueue: Sendable {
  func currentStatus() async throws(CallError) -> StatusResponse
  func currentWorkers() async throws(CallError) -> [WorkerInfo]
  func jobs(_ request: ListJobsRequest) async throws(CallError) -> ListJobsResponse
  func job(_ id: JobID, withRequest: Bool, withAttempts: Bool) async throws(CallError) -> JobDetails
  func retry(_ ids: [JobID]) async throws(CallError) -> [SubmitOutcome]
  func cancelJobs(_ ids: [JobID]) async throws(CallError) -> [JobAction]
  func setPaused(_ paused: Bool) async throws(CallError)
  func setDraining(_ draining: Bool) async throws(CallError)
  func setWorkerPaused(_ workerID: String, _ paused: Bool) async throws(CallError)
  func drainWorker(_ workerID: String) async throws(CallError)
  func setBackendPaused(_ backend: String, _ paused: Bool) async throws(CallError)
  func scaleWorkers(
    to workers: UInt32, supervisorID: String?
  ) async throws(CallError) -> SupervisorStatus
}

extension QueueClient: OperatedQueue {
  func currentStatus() async throws(CallError) -> StatusResponse { try await status() }
  func currentWorkers() async throws(CallError) -> [WorkerInfo] { try await workers() }
}
