internal import CallTransport
public import RerankdProtocol
internal import SwiftProtobuf

extension QueueClient {
  /// Submits jobs. When it returns, every accepted job is on the queue's disk.
  ///
  /// A batch that is too large for one call is submitted in several, one after the other; jobs are
  /// accepted or refused one by one.
  /// - Parameter timeout: for each of the calls.
  /// - Returns: one outcome for each job, in the jobs' order.
  /// - Throws: `CallError`. The jobs of earlier calls, and with CONNECTION_LOST those of the failed
  ///   one, may have been accepted: with idempotency keys they can be submitted again.
  public func submit(
    _ jobs: [RerankJob], timeout: Duration? = nil
  ) async throws(CallError) -> [SubmitOutcome] {
    try await submit(jobs, timeout: timeout, patience: .untilTimeout)
  }

  /// What to do while the queue is restarting.
  enum Patience {
    /// Make the call again, where that does nothing twice.
    case untilTimeout
    /// Leave it to the caller, who may know another queue.
    case none
  }

  func submit(
    _ jobs: [RerankJob], timeout: Duration?, patience: Patience
  ) async throws(CallError) -> [SubmitOutcome] {
    var outcomes: [SubmitOutcome] = []
    outcomes.reserveCapacity(jobs.count)
    var batch = SubmitRequest()
    var batchBytes = 0
    for job in jobs {
      let bytes = job.request.count
      let isFull =
        batch.jobs.count == configuration.connection.limits.submitJobsMax
        || batchBytes + bytes > configuration.submitBytesMax
      if isFull, !batch.jobs.isEmpty {
        outcomes += try await submit(batch, timeout, patience)
        batch.jobs.removeAll(keepingCapacity: true)
        batchBytes = 0
      }
      batch.jobs.append(keyed(job))
      batchBytes += bytes
    }
    if !batch.jobs.isEmpty { outcomes += try await submit(batch, timeout, patience) }
    return outcomes
  }

  private func submit(
    _ batch: SubmitRequest, _ timeout: Duration?, _ patience: Patience
  ) async throws(CallError) -> [SubmitOutcome] {
    let allKeyed = batch.jobs.allSatisfy { !$0.spec.idempotencyKey.isEmpty }
    let response: SubmitResponse = try await call(
      .submit, batch, allKeyed && patience == .untilTimeout ? .yes : .no, timeout: timeout)
    guard response.outcomes.count == batch.jobs.count else {
      throw CallError(
        .internal, "\(batch.jobs.count) jobs were submitted and \(response.outcomes.count) answered"
      )
    }
    return response.outcomes
  }

  /// Submits a job and waits for its end, across restarts of the queue.
  ///
  /// When the time is over, or the task is cancelled, the job goes on unless `cancelsJob`.
  /// - Parameter cancelsJob: the job is cancelled with the call, if this call created it: also
  ///   after a restart of the queue, where the job's key was made here.
  /// - Returns: the terminal outcome, whatever it is.
  /// - Throws: `CallError` when the job was refused or the call failed.
  public func rerank(
    _ job: RerankJob, timeout: Duration? = nil, cancelsJob: Bool = false
  ) async throws(CallError) -> JobOutcome {
    try await rerank(job, timeout: timeout, cancelsJob: cancelsJob, patience: .untilTimeout)
  }

  func rerank(
    _ job: RerankJob, timeout: Duration?, cancelsJob: Bool, patience: Patience
  ) async throws(CallError) -> JobOutcome {
    var rerank = RerankCall()
    rerank.job = keyed(job)
    rerank.cancelWithCall = cancelsJob
    let key = rerank.job.spec.idempotencyKey
    do {
      return try await call(
        .rerank, rerank, key.isEmpty || patience == .none ? .no : .yes, timeout: timeout)
    } catch {
      let isKeyOurs = job.spec.idempotencyKey.isEmpty && !key.isEmpty
      if cancelsJob, isKeyOurs, [.cancelled, .deadlineExceeded].contains(error.code) {
        cancelLeftOver(tenant: job.spec.tenant, key: key)
      }
      throw error
    }
  }

  /// A call that was made again after a restart of the queue found its job there and did not create
  /// it: the queue does not end the job with the call then, and nobody else knows its key. Best
  /// effort, since nobody waits for it; what is missed ends at the job's deadline.
  private func cancelLeftOver(tenant: String, key: String) {
    Task {
      guard let details = try? await self.job(tenant: tenant, idempotencyKey: key),
        [.delayed, .ready, .leased].contains(details.state)
      else { return }
      _ = try? await cancel(JobID(rawValue: details.jobID))
    }
  }

  /// The short way: reranks with a model and returns the ranked scores.
  ///
  /// - Throws: `CallError`, also for a job that did not succeed.
  public func rerank(
    _ request: RerankRequest, model: String, timeout: Duration? = nil
  ) async throws(CallError) -> RerankResult {
    let job = try RerankJob(request, model: model)
    return try await rerank(job, timeout: timeout, cancelsJob: true).rankedResult()
  }

  public func job(
    _ id: JobID, withRequest: Bool = false, withAttempts: Bool = false
  ) async throws(CallError) -> JobDetails {
    var request = GetRequest()
    request.jobID = id.rawValue
    return try await get(request, withRequest, withAttempts)
  }

  public func job(
    tenant: String, idempotencyKey: String, withRequest: Bool = false, withAttempts: Bool = false
  ) async throws(CallError) -> JobDetails {
    var request = GetRequest()
    request.key.tenant = tenant
    request.key.idempotencyKey = idempotencyKey
    return try await get(request, withRequest, withAttempts)
  }

  private func get(
    _ request: GetRequest, _ withRequest: Bool, _ withAttempts: Bool
  ) async throws(CallError) -> JobDetails {
    var request = request
    request.withRequest = withRequest
    request.withAttempts = withAttempts
    return try await call(.get, request, .yes, timeout: nil)
  }

  /// - Returns: the state after the call: cancelled, or the terminal one that the job had already.
  public func cancel(_ id: JobID) async throws(CallError) -> JobState {
    var request = CancelRequest()
    request.jobID = id.rawValue
    let response: CancelResponse = try await call(.cancel, request, .yes, timeout: nil)
    return response.state
  }

  public func models(timeout: Duration? = nil) async throws(CallError) -> [ModelInfo] {
    let response: ListModelsResponse = try await call(
      .listModels, ListModelsRequest(), .yes, timeout: timeout)
    return response.models
  }

  /// Which shard this queue says it is; nil: one that does not say.
  func shardNumber() async throws(CallError) -> Int? {
    let response: ListModelsResponse = try await call(
      .listModels, ListModelsRequest(), .yes, timeout: nil)
    return response.hasShard ? Int(response.shard) : nil
  }

  /// The job with an idempotency key, its own or a new one.
  func keyed(_ job: RerankJob) -> RerankJob {
    guard configuration.makesIdempotencyKeys, job.spec.idempotencyKey.isEmpty else { return job }
    var job = job
    let bits = UInt128.random(in: .min ... .max)
    job.spec.idempotencyKey = "auto-" + String(bits, radix: 36)
    return job
  }
}
