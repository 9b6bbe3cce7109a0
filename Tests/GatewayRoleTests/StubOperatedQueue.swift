import Foundation
import RerankdProtocol
import Synchronization

@testable import GatewayRole

/// A queue for operators that does what it is told, and says in words what it was told.
final class StubOperatedQueue: OperatedQueue {
  private struct State {
    var status = StatusResponse()
    var workers: [WorkerInfo] = []
    var jobs: [JobDetails] = []
    var error: CallError?
    var calls: [String] = []
  }

  private let state: Mutex<State>

  init(shard: UInt32 = 0) {
    var status = StatusResponse()
    status.shard = shard
    status.epoch = 1
    state = Mutex(State(status: status))
  }

  var calls: [String] { state.withLock(\.calls) }

  func setStatus(_ change: (inout StatusResponse) -> Void) {
    state.withLock { change(&$0.status) }
  }

  func attach(_ worker: WorkerInfo) { state.withLock { $0.workers.append(worker) } }
  func add(_ job: JobDetails) { state.withLock { $0.jobs.append(job) } }
  func fail(_ error: CallError?) { state.withLock { $0.error = error } }

  private func record(_ call: String) throws(CallError) {
    let error = state.withLock { state in
      state.calls.append(call)
      return state.error
    }
    if let error { throw error }
  }

  func currentStatus() async throws(CallError) -> StatusResponse {
    try record("status")
    return state.withLock(\.status)
  }

  func currentWorkers() async throws(CallError) -> [WorkerInfo] { state.withLock(\.workers) }

  func jobs(_ request: ListJobsRequest) async throws(CallError) -> ListJobsResponse {
    try record("jobs \(request.limit)")
    var response = ListJobsResponse()
    response.jobs = state.withLock(\.jobs)
    return response
  }

  func job(
    _ id: JobID, withRequest: Bool, withAttempts: Bool
  ) async throws(CallError) -> JobDetails {
    try record("job \(id)\(withRequest ? " request" : "")")
    let found = state.withLock { $0.jobs.first { $0.jobID == id.rawValue } }
    guard var details = found else { throw CallError(.notFound, "no job \(id)") }
    if !withRequest { details.request = .init() }
    if !withAttempts { details.attemptRecords = [] }
    return details
  }

  func retry(_ ids: [JobID]) async throws(CallError) -> [SubmitOutcome] {
    try record("retry \(ids)")
    return ids.map { id in
      var outcome = SubmitOutcome()
      outcome.jobID = id.rawValue
      return outcome
    }
  }

  func cancelJobs(_ ids: [JobID]) async throws(CallError) -> [JobAction] {
    try record("cancel \(ids)")
    return ids.map { id in
      var action = JobAction()
      action.jobID = id.rawValue
      action.state = .cancelled
      return action
    }
  }

  func setPaused(_ paused: Bool) async throws(CallError) { try record("paused \(paused)") }
  func setDraining(_ draining: Bool) async throws(CallError) { try record("draining \(draining)") }

  func setWorkerPaused(_ workerID: String, _ paused: Bool) async throws(CallError) {
    try record("worker \(workerID) paused \(paused)")
  }

  func drainWorker(_ workerID: String) async throws(CallError) { try record("drain \(workerID)") }

  func setBackendPaused(_ backend: String, _ paused: Bool) async throws(CallError) {
    try record("backend \(backend) paused \(paused)")
  }

  func scaleWorkers(
    to workers: UInt32, supervisorID: String?
  ) async throws(CallError) -> SupervisorStatus {
    try record("scale \(supervisorID ?? "any") \(workers)")
    var status = SupervisorStatus()
    status.workersWanted = workers
    return status
  }
}
