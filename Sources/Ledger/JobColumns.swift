import RerankdProtocol

/// How a job's row and its records map on one another; the order is the same in every statement.
enum JobColumns {
  static let state = """
    state, deadline_ms, attempt, attempts_spent, workers_lost, ready_at_ms, worker_id, \
    leased_at_ms, updated_ms, end_code, end_message
    """
  static let delivery = "delivery_state, delivery_attempts, delivery_updated_ms"
  static let spec = """
    model, tenant, priority, idempotency_key, payload_hash, reply_channel, reply_to, traceparent, \
    max_attempts, submitted_ms, deadline_after_ms, body_bytes, body_chunks, allow_fallback
    """
  static let all = "id, \(state), \(delivery), \(spec)"

  static let stateCount: Int32 = 11
  static let deliveryCount: Int32 = 3
  static let specCount: Int32 = 14
  static let count: Int32 = 1 + stateCount + deliveryCount + specCount
}

extension Statement {
  /// Binds ``JobColumns/state`` from `index` on.
  func bind(_ state: JobStateRecord, from index: Int32) {
    bind(index, Int64(state.state.rawValue))
    bind(index + 1, state.deadlineMs)
    bind(index + 2, Int64(state.attempt))
    bind(index + 3, Int64(state.attemptsSpent))
    bind(index + 4, Int64(state.workersLost))
    bind(index + 5, state.readyAtMs)
    bind(index + 6, state.workerID)
    bind(index + 7, state.leasedAtMs)
    bind(index + 8, state.updatedMs)
    bind(index + 9, Int64(state.endCode))
    bind(index + 10, state.endMessage)
  }

  /// Binds ``JobColumns/delivery`` from `index` on; nil: there is nothing to deliver.
  func bind(_ delivery: DeliveryRow?, from index: Int32) {
    bind(index, Int64((delivery?.state ?? .none).rawValue))
    bind(index + 1, Int64(delivery?.attempts ?? 0))
    bind(index + 2, delivery?.updatedMs ?? 0)
  }

  /// Binds ``JobColumns/spec`` from `index` on.
  func bindSpec(_ job: JobRecord, from index: Int32) {
    bind(index, job.model)
    bind(index + 1, job.tenant)
    bind(index + 2, Int64(job.priority))
    bind(index + 3, job.idempotencyKey)
    bind(index + 4, job.payloadHash)
    bind(index + 5, job.replyChannel)
    bind(index + 6, job.replyTo)
    bind(index + 7, job.traceparent)
    bind(index + 8, Int64(job.maxAttempts))
    bind(index + 9, job.submittedMs)
    bind(index + 10, job.deadlineAfterMs)
    bind(index + 11, Int64(clamping: job.bodyBytes))
    bind(index + 12, Int64(job.bodyChunks))
    bind(index + 13, job.allowFallback ? 1 : 0)
  }

  /// Reads a row of ``JobColumns/all``.
  func job(shard: UInt16) -> (job: JobRecord, delivery: DeliveryRow?) {
    let id = JobID(shard: shard, sequence: UInt64(int(0)))
    let state = JobStateRecord(
      state: JobState(rawValue: Int(int(1))) ?? .unspecified, deadlineMs: int(2),
      attempt: UInt32(truncatingIfNeeded: int(3)),
      attemptsSpent: UInt32(truncatingIfNeeded: int(4)),
      workersLost: UInt32(truncatingIfNeeded: int(5)), readyAtMs: int(6), workerID: text(7),
      leasedAtMs: int(8), updatedMs: int(9), endCode: UInt32(truncatingIfNeeded: int(10)),
      endMessage: text(11))
    let job = JobRecord(
      id: id, model: text(15) ?? "", tenant: text(16) ?? "",
      priority: Int32(truncatingIfNeeded: int(17)), idempotencyKey: text(18),
      payloadHash: bytes(19), replyChannel: text(20), replyTo: text(21), traceparent: text(22),
      maxAttempts: UInt32(truncatingIfNeeded: int(23)), allowFallback: int(28) != 0,
      submittedMs: int(24),
      deadlineAfterMs: int(25), bodyBytes: UInt64(clamping: int(26)),
      bodyChunks: UInt32(truncatingIfNeeded: int(27)), state: state)
    guard let deliveryState = DeliveryState(rawValue: Int(int(12))), deliveryState != .none else {
      return (job, nil)
    }
    let delivery = DeliveryRow(
      jobID: id, tenant: job.tenant, channel: job.replyChannel ?? "", state: deliveryState,
      attempts: UInt32(truncatingIfNeeded: int(13)), updatedMs: int(14))
    return (job, delivery)
  }

  /// Reads a row of `id, worker_id, started_ms, ended_ms, end, code, message`.
  func attempt(shard: UInt16) -> AttemptRow {
    AttemptRow(
      jobID: JobID(shard: shard, sequence: UInt64(RowKey.sequence(int(0)))),
      attempt: RowKey.ordinal(int(0)), workerID: text(1) ?? "", startedMs: int(2), endedMs: int(3),
      end: AttemptEnd(rawValue: Int(int(4))) ?? .unspecified,
      code: UInt32(truncatingIfNeeded: int(5)), message: text(6) ?? "")
  }
}

extension JobStateRecord {
  /// Whether the job can still change by itself.
  var isLive: Bool { state.rawValue <= JobState.leased.rawValue }

  /// Whether this is how a control retry looks: waiting, with a fresh budget of attempts.
  var isRetry: Bool {
    (state == .ready || state == .delayed) && attemptsSpent == 0 && workersLost == 0
  }

  /// Terminal states are final, but that a job which did not succeed may be retried; and attempts
  /// only count up. The UPDATE statements say the same in SQL.
  func permits(_ next: JobStateRecord) -> Bool {
    next.attempt >= attempt && (isLive || (state != .succeeded && next.isRetry))
  }
}
