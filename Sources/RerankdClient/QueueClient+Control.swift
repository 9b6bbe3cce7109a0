public import RerankdProtocol

/// For operators.
extension QueueClient {
  public func status() async throws(CallError) -> StatusResponse {
    try await call(.status, StatusRequest(), .yes, timeout: nil)
  }

  /// One page, newest first; pass `nextBeforeJobID` as `beforeJobID` for the next.
  public func jobs(_ request: ListJobsRequest) async throws(CallError) -> ListJobsResponse {
    try await call(.listJobs, request, .yes, timeout: nil)
  }

  /// Makes dead, cancelled or expired jobs ready again, with a fresh budget of attempts.
  /// - Returns: one outcome for each id, in their order.
  public func retry(_ ids: [JobID]) async throws(CallError) -> [SubmitOutcome] {
    var request = RetryJobsRequest()
    request.jobIds = ids.map(\.rawValue)
    // Not repeated: a job that died again meanwhile would be brought back twice.
    let response: RetryJobsResponse = try await call(.retryJobs, request, .no, timeout: nil)
    return response.outcomes
  }

  public func workers() async throws(CallError) -> [WorkerInfo] {
    let response: ListWorkersResponse = try await call(
      .listWorkers, ListWorkersRequest(), .yes, timeout: nil)
    return response.workers
  }

  /// Lets a worker finish what it holds and leave.
  public func drainWorker(_ workerID: String) async throws(CallError) {
    var request = DrainWorkerRequest()
    request.workerID = workerID
    let _: DrainWorkerResponse = try await call(.drainWorker, request, .yes, timeout: nil)
  }

  /// While paused nothing is assigned; submits go on.
  public func setPaused(_ paused: Bool) async throws(CallError) {
    var request = SetPausedRequest()
    request.paused = paused
    let _: SetPausedResponse = try await call(.setPaused, request, .yes, timeout: nil)
  }

  /// Nothing is sent to a paused backend; resuming ends a rest of it as well. `status()` lists
  /// them.
  public func setBackendPaused(_ backend: String, _ paused: Bool) async throws(CallError) {
    var request = SetBackendPausedRequest()
    request.backend = backend
    request.paused = paused
    let _: SetBackendPausedResponse = try await call(
      .setBackendPaused, request, .yes, timeout: nil)
  }
}
