public import RerankdProtocol

/// For operators: over all queues. Backups, checks and statistics of a ledger are asked of each
/// queue by itself, through `shards` or `each`.
extension ShardedClient {
  /// Of all queues that answer, put together; see `StatusResponse.merged`. What each of them says is
  /// had by `each { try await $0.status() }`.
  public func status() async throws(CallError) -> StatusResponse {
    StatusResponse.merged(
      try await answered { shard throws(CallError) in try await shard.status() })
  }

  /// One page, the highest ids first: the last shard's newest jobs, and the first shard's oldest at
  /// the end. Pass `nextBeforeJobID` as `beforeJobID` for the next.
  public func jobs(_ request: ListJobsRequest) async throws(CallError) -> ListJobsResponse {
    guard shards.count > 1 else { return try await shards[0].jobs(request) }
    var number =
      request.beforeJobID == 0
      ? shards.count - 1 : min(Int(JobID(rawValue: request.beforeJobID).shard), shards.count - 1)
    var request = request
    while true {
      var page = try await shards[number].jobs(request)
      guard page.nextBeforeJobID == 0, number > 0 else { return page }
      // The page goes on with the shard below, whose ids are all lower than this shard's first.
      page.nextBeforeJobID = JobID(shard: UInt16(number), sequence: 0).rawValue
      number -= 1
      request.beforeJobID = 0
      if !page.jobs.isEmpty { return page }
    }
  }

  /// Makes dead, cancelled or expired jobs ready again, with a fresh budget of attempts.
  /// - Returns: one outcome for each id, in their order.
  public func retry(_ ids: [JobID]) async throws(CallError) -> [SubmitOutcome] {
    try await split(ids) { shard, ids throws(CallError) in
      try await shard.retry(ids)
    } refused: { error, _ in
      var outcome = SubmitOutcome()
      outcome.error = error.status
      return outcome
    }
  }

  /// Cancels live jobs, whoever submitted them.
  /// - Returns: one outcome for each id, in their order.
  public func cancelJobs(_ ids: [JobID]) async throws(CallError) -> [JobAction] {
    try await split(ids) { shard, ids throws(CallError) in
      try await shard.cancelJobs(ids)
    } refused: {
      JobAction(refused: $1, $0)
    }
  }

  /// Removes ended jobs with their results and attempts, before retention would.
  /// - Parameter undelivered: also jobs whose outcome nobody acknowledged yet.
  /// - Returns: one outcome for each id, in their order.
  public func purge(
    _ ids: [JobID], undelivered: Bool = false
  ) async throws(CallError) -> [JobAction] {
    try await split(ids) { shard, ids throws(CallError) in
      try await shard.purge(ids, undelivered: undelivered)
    } refused: {
      JobAction(refused: $1, $0)
    }
  }

  /// The workers of each queue that answers. One that serves several queues is there once for each.
  public func workers() async throws(CallError) -> [WorkerInfo] {
    try await answered { shard throws(CallError) in try await shard.workers() }.flatMap { $0 }
  }

  /// Lets a worker finish what it holds and leave, at every queue where it is.
  public func drainWorker(_ workerID: String) async throws(CallError) {
    try await whereKnown { shard throws(CallError) in try await shard.drainWorker(workerID) }
  }

  /// A paused worker keeps what it holds and is given nothing new.
  public func setWorkerPaused(_ workerID: String, _ paused: Bool) async throws(CallError) {
    try await whereKnown { shard throws(CallError) in
      try await shard.setWorkerPaused(workerID, paused)
    }
  }

  /// While paused nothing is assigned; submits go on.
  public func setPaused(_ paused: Bool) async throws(CallError) {
    _ = try await all { shard throws(CallError) in try await shard.setPaused(paused) }
  }

  /// Nothing is sent to a paused backend; resuming ends a rest of it as well, and the waits of jobs
  /// that failed on it.
  public func setBackendPaused(_ backend: String, _ paused: Bool) async throws(CallError) {
    _ = try await all { shard throws(CallError) in
      try await shard.setBackendPaused(backend, paused)
    }
  }

  /// A draining queue refuses new jobs and works off those it has.
  public func setDraining(_ draining: Bool) async throws(CallError) {
    _ = try await all { shard throws(CallError) in try await shard.setDraining(draining) }
  }

  /// Asks a supervisor (`rerankd up`) for another number of worker processes.
  /// - Parameter supervisorID: nil takes the only one there is.
  public func scaleWorkers(
    to workers: UInt32, supervisorID: String? = nil
  ) async throws(CallError) -> SupervisorStatus {
    // A supervisor reports to one queue.
    try await whereKnown { shard throws(CallError) in
      try await shard.scaleWorkers(to: workers, supervisorID: supervisorID)
    }[0]
  }

  // MARK: How

  /// Has each queue do its part of a list of jobs.
  private func split<Outcome: Sendable>(
    _ ids: [JobID],
    _ body: @escaping @Sendable (QueueClient, [JobID]) async throws(CallError) -> [Outcome],
    refused: (CallError, JobID) -> Outcome
  ) async throws(CallError) -> [Outcome] {
    guard shards.count > 1 else { return try await body(shards[0], ids) }
    var outcomes: [JobID: Outcome] = [:]
    var parts: [Int: [JobID]] = [:]
    for id in ids {
      do throws(CallError) {
        parts[try number(of: id), default: []].append(id)
      } catch {
        outcomes[id] = refused(error, id)
      }
    }
    for (number, part) in parts.sorted(by: { $0.key < $1.key }) {
      do throws(CallError) {
        for (id, outcome) in zip(part, try await body(shards[number], part)) {
          outcomes[id] = outcome
        }
      } catch {
        for id in part { outcomes[id] = refused(error.from(configuration.endpoints[number]), id) }
      }
    }
    return ids.compactMap { outcomes[$0] }
  }

  /// Has those queues do something that know of it.
  /// - Throws: `CallError` when none does: NOT_FOUND, unless another went wrong.
  @discardableResult
  private func whereKnown<Value: Sendable>(
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Value
  ) async throws(CallError) -> [Value] {
    let answers = await each(body)
    let values = answers.compactMap { try? $0.result.get() }
    guard values.isEmpty else { return values }
    let errors = answers.compactMap { answer -> CallError? in
      if case .failure(let error) = answer.result { error } else { nil }
    }
    throw errors.first { $0.code != .notFound } ?? errors[0]
  }
}

extension JobAction {
  fileprivate init(refused id: JobID, _ error: CallError) {
    self.init()
    jobID = id.rawValue
    self.error = error.status
  }
}
