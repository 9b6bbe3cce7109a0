public import RerankdProtocol

/// For operators.
extension QueueClient {
  public func status(timeout: Duration? = nil) async throws(CallError) -> StatusResponse {
    try await call(.status, StatusRequest(), .yes, timeout: timeout)
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

  public func workers(timeout: Duration? = nil) async throws(CallError) -> [WorkerInfo] {
    let response: ListWorkersResponse = try await call(
      .listWorkers, ListWorkersRequest(), .yes, timeout: timeout)
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

  /// Nothing is sent to a paused backend; resuming ends a rest of it as well, and the waits of jobs
  /// that failed on it. `status()` lists backends.
  public func setBackendPaused(_ backend: String, _ paused: Bool) async throws(CallError) {
    var request = SetBackendPausedRequest()
    request.backend = backend
    request.paused = paused
    let _: SetBackendPausedResponse = try await call(
      .setBackendPaused, request, .yes, timeout: nil)
  }

  /// Cancels live jobs, whoever submitted them.
  /// - Parameter ids: 1 to 1,000.
  /// - Returns: one outcome for each id, in their order.
  public func cancelJobs(_ ids: [JobID]) async throws(CallError) -> [JobAction] {
    var request = CancelJobsRequest()
    request.jobIds = ids.map(\.rawValue)
    let response: CancelJobsResponse = try await call(.cancelJobs, request, .yes, timeout: nil)
    return response.outcomes
  }

  /// Removes ended jobs with their results and attempts, before retention would.
  /// - Parameters:
  ///   - ids: 1 to 1,000.
  ///   - undelivered: also jobs whose outcome nobody acknowledged yet.
  /// - Returns: one outcome for each id, in their order.
  public func purge(
    _ ids: [JobID], undelivered: Bool = false
  ) async throws(CallError) -> [JobAction] {
    var request = PurgeJobsRequest()
    request.jobIds = ids.map(\.rawValue)
    request.undelivered = undelivered
    let response: PurgeJobsResponse = try await call(.purgeJobs, request, .yes, timeout: nil)
    return response.outcomes
  }

  /// A paused worker keeps what it holds and is given nothing new.
  public func setWorkerPaused(_ workerID: String, _ paused: Bool) async throws(CallError) {
    var request = SetWorkerPausedRequest()
    request.workerID = workerID
    request.paused = paused
    let _: SetWorkerPausedResponse = try await call(.setWorkerPaused, request, .yes, timeout: nil)
  }

  /// A draining queue refuses new jobs and works off those it has.
  public func setDraining(_ draining: Bool) async throws(CallError) {
    var request = SetDrainingRequest()
    request.draining = draining
    let _: SetDrainingResponse = try await call(.setDraining, request, .yes, timeout: nil)
  }

  /// Asks a supervisor (`rerankd up`) for another number of worker processes.
  /// - Parameter supervisorID: nil takes the only one there is.
  public func scaleWorkers(
    to workers: UInt32, supervisorID: String? = nil
  ) async throws(CallError) -> SupervisorStatus {
    var request = ScaleWorkersRequest()
    request.supervisorID = supervisorID ?? ""
    request.workers = workers
    let response: ScaleWorkersResponse = try await call(.scaleWorkers, request, .yes, timeout: nil)
    return response.supervisor
  }

  /// Reports what a supervisor runs.
  /// - Returns: how many workers somebody asked for, where that is another number.
  public func supervise(
    _ report: SuperviseRequest, timeout: Duration? = nil
  ) async throws(CallError) -> UInt32? {
    let response: SuperviseResponse = try await call(.supervise, report, .yes, timeout: timeout)
    return response.hasWorkersWanted ? response.workersWanted : nil
  }

  /// Has the queue write one consistent snapshot of its ledger into its backup folder.
  /// - Parameters:
  ///   - name: a file name; nil takes one with shard and time in it.
  ///   - timeout: a backup takes about as long as copying the file.
  public func backUpLedger(
    name: String? = nil, timeout: Duration
  ) async throws(CallError) -> BackUpLedgerResponse {
    var request = BackUpLedgerRequest()
    request.name = name ?? ""
    return try await call(.backUpLedger, request, .no, timeout: timeout)
  }

  /// Has the queue check its ledger.
  /// - Parameter timeout: a check reads the whole file.
  public func checkLedger(timeout: Duration) async throws(CallError) -> CheckLedgerResponse {
    try await call(.checkLedger, CheckLedgerRequest(), .yes, timeout: timeout)
  }

  public func ledgerStatistics(
    timeout: Duration? = nil
  ) async throws(CallError) -> LedgerStatisticsResponse {
    try await call(.ledgerStatistics, LedgerStatisticsRequest(), .yes, timeout: timeout)
  }
}
