public import RerankdProtocol

/// Jobs, each at its shard.
extension ShardedClient {
  /// Submits jobs; see `QueueClient.submit`. Those of a shard that is away are refused with
  /// UNAVAILABLE, one by one, and the others are accepted all the same.
  /// - Returns: one outcome for each job, in the jobs' order.
  /// - Throws: `CallError` when no queue took any of them.
  public func submit(
    _ jobs: [RerankJob], timeout: Duration? = nil
  ) async throws(CallError) -> [SubmitOutcome] {
    guard shards.count > 1, !jobs.isEmpty else {
      return try await shards[0].submit(jobs, timeout: timeout)
    }
    var places: [Int?: [Int]] = [:]
    for (index, job) in jobs.enumerated() {
      places[shard(forKeyOf: job), default: []].append(index)
    }
    let parts = await withTaskGroup(of: (places: [Int], Result<[SubmitOutcome], CallError>).self) {
      group in
      for (shard, places) in places {
        let part = places.map { jobs[$0] }
        group.addTask { (places, await self.submit(part, to: shard, timeout: timeout)) }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    var outcomes = Array(repeating: SubmitOutcome(), count: jobs.count)
    var firstError: CallError?
    var isAnyAnswered = false
    for (places, result) in parts {
      switch result {
      case .success(let part):
        isAnyAnswered = true
        for (place, outcome) in zip(places, part) { outcomes[place] = outcome }
      case .failure(let error):
        firstError = firstError ?? error
        for place in places { outcomes[place].error = error.status }
      }
    }
    if !isAnyAnswered, let firstError { throw firstError }
    return outcomes
  }

  private func submit(
    _ jobs: [RerankJob], to shard: Int?, timeout: Duration?
  ) async -> Result<[SubmitOutcome], CallError> {
    do throws(CallError) {
      guard let shard else { return .success(try await submitAnywhere(jobs, timeout)) }
      try await checkPlace(shard)
      return .success(try await shards[shard].submit(jobs, timeout: timeout))
    } catch {
      return .failure(error)
    }
  }

  /// Jobs without keys: to the first queue that takes them.
  private func submitAnywhere(
    _ jobs: [RerankJob], _ timeout: Duration?
  ) async throws(CallError) -> [SubmitOutcome] {
    // Keys of our own, so that a call whose answer was lost can be made again at the same queue. At
    // another one it could add the jobs twice.
    let keyed = jobs.map { shards[0].keyed($0) }
    return try await anywhere(timeout, goesOn: \.wasNeverTaken) {
      shard, timeout, patience throws(CallError) in
      let outcomes = try await shard.submit(keyed, timeout: timeout, patience: patience)
      let refusals = outcomes.map { CallError(status: $0.error) }
      // A queue that drains refuses each job; so nothing was taken, and another may.
      if let refusal = refusals.first ?? nil, refusals.allSatisfy({ $0?.code == .unavailable }) {
        throw refusal
      }
      return outcomes
    }
  }

  /// Submits a job and waits for its end; see `QueueClient.rerank`. While it waits, a job without a
  /// key and without another way to its result may begin anew at another queue when its own goes
  /// away: scoring twice does no harm.
  public func rerank(
    _ job: RerankJob, timeout: Duration? = nil, cancelsJob: Bool = false
  ) async throws(CallError) -> JobOutcome {
    guard shards.count > 1 else {
      return try await shards[0].rerank(job, timeout: timeout, cancelsJob: cancelsJob)
    }
    if let shard = shard(forKeyOf: job) {
      try await checkPlace(shard)
      return try await shards[shard].rerank(job, timeout: timeout, cancelsJob: cancelsJob)
    }
    let mayScoreTwice = job.spec.replyChannel.isEmpty && job.spec.replyTo.isEmpty
    return try await anywhere(timeout, goesOn: { mayScoreTwice || $0.wasNeverTaken }) {
      shard, timeout, patience throws(CallError) in
      try await shard.rerank(job, timeout: timeout, cancelsJob: cancelsJob, patience: patience)
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
    try await shard(of: id).job(id, withRequest: withRequest, withAttempts: withAttempts)
  }

  public func job(
    tenant: String, idempotencyKey: String, withRequest: Bool = false, withAttempts: Bool = false
  ) async throws(CallError) -> JobDetails {
    let shard = ShardHash.shard(tenant: tenant, key: idempotencyKey, of: shards.count)
    return try await shards[shard].job(
      tenant: tenant, idempotencyKey: idempotencyKey, withRequest: withRequest,
      withAttempts: withAttempts)
  }

  /// - Returns: the state after the call: cancelled, or the terminal one that the job had already.
  public func cancel(_ id: JobID) async throws(CallError) -> JobState {
    try await shard(of: id).cancel(id)
  }

  /// Of every queue that answers; the workers of a model are counted where they are most.
  public func models(timeout: Duration? = nil) async throws(CallError) -> [ModelInfo] {
    ModelInfo.merged(
      try await answered { shard throws(CallError) in try await shard.models(timeout: timeout) })
  }

  private func shard(forKeyOf job: RerankJob) -> Int? {
    let key = job.spec.idempotencyKey
    guard !key.isEmpty else { return nil }
    return ShardHash.shard(tenant: job.spec.tenant, key: key, of: shards.count)
  }

  /// Has one queue do it: the next in turn, or another when that one is away.
  /// - Parameter goesOn: whether another queue may be asked after this error.
  private func anywhere<Value: Sendable>(
    _ timeout: Duration?, goesOn: (CallError) -> Bool,
    _ body: (QueueClient, Duration, QueueClient.Patience) async throws(CallError) -> Value
  ) async throws(CallError) -> Value {
    let deadline = ContinuousClock.now + (timeout ?? configuration.client.callTimeout)
    let order = health.order()
    for number in order {
      do throws(CallError) {
        try await checkPlace(number)
        return try await body(shards[number], deadline - .now, .none)
      } catch {
        guard error.code == .unavailable else { throw error }
        health.noteAway(number)
        guard goesOn(error) else {
          return try await body(shards[number], deadline - .now, .untilTimeout)
        }
      }
    }
    // None is there: the first may be restarting.
    return try await body(shards[order[0]], deadline - .now, .untilTimeout)
  }
}

extension ModelInfo {
  /// What several queues have, put together; the workers of a model are counted where they are most.
  public static func merged(_ lists: [[ModelInfo]]) -> [ModelInfo] {
    var models: [ModelInfo] = []
    for model in lists.joined() {
      if let known = models.firstIndex(where: { $0.name == model.name }) {
        // A worker attaches to every queue.
        models[known].workers = max(models[known].workers, model.workers)
      } else {
        models.append(model)
      }
    }
    return models
  }
}

extension CallError {
  /// The queue did nothing of what was asked: it was not there, or refused at once.
  fileprivate var wasNeverTaken: Bool { details.reason != "CONNECTION_LOST" }
}
