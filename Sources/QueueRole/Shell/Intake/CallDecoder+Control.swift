internal import Ledger
internal import RerankdProtocol

/// What operators ask, `Status` aside: it has nothing to decode.
extension CallDecoder {
  func control(
    _ call: CallRef, _ method: RerankdProtocol.Method, _ message: [UInt8]
  ) throws(CallError) -> QueueInput {
    switch method {
    case .listJobs:
      let request = try decode(ListJobsRequest.self, message)
      return .listJobs(call, try filter(request), ages: ages(request))
    case .retryJobs:
      return .retryJobs(call, try jobs(try decode(RetryJobsRequest.self, message).jobIds))
    case .cancelJobs:
      return .cancelJobs(call, try jobs(try decode(CancelJobsRequest.self, message).jobIds))
    case .purgeJobs:
      let request = try decode(PurgeJobsRequest.self, message)
      return .purgeJobs(call, try jobs(request.jobIds), undelivered: request.undelivered)
    case .listWorkers: return .listWorkers(call)
    case .drainWorker:
      let id = try decode(DrainWorkerRequest.self, message).workerID
      return .drainWorker(call, workerID: try name(id, "worker_id", "ListWorkers"))
    case .setPaused:
      return .setPaused(call, try decode(SetPausedRequest.self, message).paused)
    case .setBackendPaused:
      let request = try decode(SetBackendPausedRequest.self, message)
      return .setBackendPaused(
        call, backend: try name(request.backend, "backend", "Status"), request.paused)
    case .setWorkerPaused:
      let request = try decode(SetWorkerPausedRequest.self, message)
      return .setWorkerPaused(
        call, workerID: try name(request.workerID, "worker_id", "ListWorkers"), request.paused)
    case .setDraining:
      return .setDraining(call, try decode(SetDrainingRequest.self, message).draining)
    case .scaleWorkers:
      let request = try decode(ScaleWorkersRequest.self, message)
      return .scaleWorkers(
        call, supervisorID: request.supervisorID.isEmpty ? nil : request.supervisorID,
        workers: request.workers)
    case .supervise:
      return .supervise(call, try report(try decode(SuperviseRequest.self, message)))
    case .backUpLedger:
      let name = try decode(BackUpLedgerRequest.self, message).name
      return .ledgerTask(call, .backUp(name: name.isEmpty ? nil : name, keeping: nil))
    case .checkLedger: return .ledgerTask(call, .check)
    case .ledgerStatistics: return .ledgerTask(call, .statistics)
    default: throw CallError(.unimplemented, "\(method.rawValue) is no call of operators")
    }
  }

  private func jobs(_ ids: [UInt64]) throws(CallError) -> [JobID] {
    guard (1...limits.jobActionsMax).contains(ids.count) else {
      throw CallError.invalidArgument(
        field: "job_ids", "has \(ids.count) ids; 1 to \(limits.jobActionsMax) are taken")
    }
    return ids.map { JobID(rawValue: $0) }
  }

  private func name(
    _ name: String, _ field: String, _ list: String
  ) throws(CallError) -> String {
    guard !name.isEmpty else {
      throw CallError.invalidArgument(field: field, "is empty; \(list) says which there are")
    }
    return name
  }

  private func filter(_ request: ListJobsRequest) throws(CallError) -> JobFilter {
    guard request.limit <= limits.listJobsMax else {
      throw CallError.invalidArgument(
        field: "limit", "is \(request.limit); the limit is \(limits.listJobsMax)")
    }
    for (index, state) in request.states.enumerated() {
      if case .UNRECOGNIZED(let number) = state {
        throw CallError.invalidArgument(field: "states[\(index)]", "\(number) is no JobState")
      }
    }
    guard request.errorCodes.count <= limits.errorCodesMax else {
      throw CallError.invalidArgument(
        field: "error_codes",
        "has \(request.errorCodes.count) codes; the limit is \(limits.errorCodesMax)")
    }
    guard request.errorContains.utf8.count <= limits.errorTextBytesMax else {
      throw CallError.invalidArgument(
        field: "error_contains",
        "has \(request.errorContains.utf8.count) bytes; the limit is \(limits.errorTextBytesMax)")
    }
    return JobFilter(
      states: request.states, tenant: request.tenant.isEmpty ? nil : request.tenant,
      model: request.model.isEmpty ? nil : request.model,
      before: request.beforeJobID == 0 ? nil : JobID(rawValue: request.beforeJobID),
      limit: request.limit == 0 ? limits.listJobsDefault : Int(request.limit),
      errorCodes: request.errorCodes,
      errorContains: request.errorContains.isEmpty ? nil : request.errorContains)
  }

  private func ages(_ request: ListJobsRequest) -> JobAges {
    JobAges(
      olderThanMs: request.olderThanMs == 0 ? nil : age(request.olderThanMs),
      newerThanMs: request.newerThanMs == 0 ? nil : age(request.newerThanMs))
  }

  /// At most a thousand years, so that a time less it is still one.
  private func age(_ milliseconds: UInt64) -> Int64 {
    Int64(min(milliseconds, 1_000 * 366 * 24 * 3_600_000))
  }

  private func report(_ request: SuperviseRequest) throws(CallError) -> SupervisorReport {
    guard (1...limits.workerIDBytesMax).contains(request.supervisorID.utf8.count),
      request.supervisorID.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
    else {
      throw CallError.invalidArgument(
        field: "supervisor_id",
        "has 1 to \(limits.workerIDBytesMax) characters of printable ASCII")
    }
    guard request.host.utf8.count <= limits.workerDescriptionBytesMax else {
      throw CallError.invalidArgument(
        field: "host", "has at most \(limits.workerDescriptionBytesMax) bytes")
    }
    return SupervisorReport(
      supervisorID: request.supervisorID, host: request.host, processID: request.processID,
      workersRunning: request.workersRunning, workersWanted: request.workersWanted,
      workersMax: request.workersMax)
  }
}
