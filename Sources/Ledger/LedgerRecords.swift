public import RerankdProtocol

/// A job's row: what never changes (``spec`` and the rest of the first block) and its ``state``.
public struct JobRecord: Sendable, Equatable {
  public var id: JobID
  public var model: String
  public var tenant: String
  public var priority: Int32
  /// nil: the submitter gave none.
  public var idempotencyKey: String?
  /// SHA-256 of what the key stands for; present with a key.
  public var payloadHash: [UInt8]?
  public var replyChannel: String?
  public var replyTo: String?
  public var traceparent: String?
  public var maxAttempts: UInt32
  /// Whether a fallback of the model may score it.
  public var allowFallback: Bool
  /// Wall clock, milliseconds since 1970.
  public var submittedMs: Int64
  /// How long after acceptance the deadline lies, in milliseconds: what was asked for, never
  /// changed. The deadline in force is ``JobStateRecord/deadlineMs``, which a control retry sets
  /// anew.
  public var deadlineAfterMs: Int64
  public var bodyBytes: UInt64
  /// How many ``LedgerWrite/putBodyChunk(_:index:_:)`` rows hold the body; 0 when it came with the
  /// insert.
  public var bodyChunks: UInt32
  public var state: JobStateRecord

  public init(
    id: JobID, model: String, tenant: String, priority: Int32, idempotencyKey: String?,
    payloadHash: [UInt8]?, replyChannel: String?, replyTo: String?, traceparent: String?,
    maxAttempts: UInt32, allowFallback: Bool = false, submittedMs: Int64, deadlineAfterMs: Int64,
    bodyBytes: UInt64, bodyChunks: UInt32, state: JobStateRecord
  ) {
    self.id = id
    self.model = model
    self.tenant = tenant
    self.priority = priority
    self.idempotencyKey = idempotencyKey
    self.payloadHash = payloadHash
    self.replyChannel = replyChannel
    self.replyTo = replyTo
    self.traceparent = traceparent
    self.maxAttempts = maxAttempts
    self.allowFallback = allowFallback
    self.submittedMs = submittedMs
    self.deadlineAfterMs = deadlineAfterMs
    self.bodyBytes = bodyBytes
    self.bodyChunks = bodyChunks
    self.state = state
  }
}

/// What changes in a job's life. Always written whole, so that several changes of one batch fold
/// into the last.
public struct JobStateRecord: Sendable, Equatable {
  public var state: JobState
  /// Wall clock, milliseconds since 1970: when the job expires. In the state, since a control retry
  /// gives the job a new deadline.
  public var deadlineMs: Int64
  /// The number of the latest attempt; grows with every assignment and is the fence with the epoch.
  public var attempt: UInt32
  /// Attempts that count against ``JobRecord/maxAttempts``.
  public var attemptsSpent: UInt32
  /// Workers lost while they held it; three make it poison.
  public var workersLost: UInt32
  /// For DELAYED: wall clock, milliseconds, of its next attempt. Else 0.
  public var readyAtMs: Int64
  /// For LEASED: who holds it and since when. Else nil and 0.
  public var workerID: String?
  public var leasedAtMs: Int64
  public var updatedMs: Int64
  /// Why it ended, for the terminal states but SUCCEEDED.
  public var endCode: UInt32
  public var endMessage: String?

  public init(
    state: JobState, deadlineMs: Int64, attempt: UInt32 = 0, attemptsSpent: UInt32 = 0,
    workersLost: UInt32 = 0, readyAtMs: Int64 = 0, workerID: String? = nil, leasedAtMs: Int64 = 0,
    updatedMs: Int64, endCode: UInt32 = 0, endMessage: String? = nil
  ) {
    self.state = state
    self.deadlineMs = deadlineMs
    self.attempt = attempt
    self.attemptsSpent = attemptsSpent
    self.workersLost = workersLost
    self.readyAtMs = readyAtMs
    self.workerID = workerID
    self.leasedAtMs = leasedAtMs
    self.updatedMs = updatedMs
    self.endCode = endCode
    self.endMessage = endMessage
  }
}

/// One attempt that ended; written once, never changed.
public struct AttemptRow: Sendable, Equatable {
  public var jobID: JobID
  public var attempt: UInt32
  public var workerID: String
  public var startedMs: Int64
  public var endedMs: Int64
  public var end: AttemptEnd
  public var code: UInt32
  public var message: String
  /// For SUCCEEDED: the serialized RerankResult.
  public var result: [UInt8]?

  public init(
    jobID: JobID, attempt: UInt32, workerID: String, startedMs: Int64, endedMs: Int64,
    end: AttemptEnd, code: UInt32 = 0, message: String = "", result: [UInt8]? = nil
  ) {
    self.jobID = jobID
    self.attempt = attempt
    self.workerID = workerID
    self.startedMs = startedMs
    self.endedMs = endedMs
    self.end = end
    self.code = code
    self.message = message
    self.result = result
  }
}

/// The way of an outcome to the consumers of its reply channel.
public struct DeliveryRow: Sendable, Equatable {
  public var jobID: JobID
  public var tenant: String
  public var channel: String
  /// pending, acknowledged or parked.
  public var state: DeliveryState
  public var attempts: UInt32
  public var updatedMs: Int64

  public init(
    jobID: JobID, tenant: String, channel: String, state: DeliveryState, attempts: UInt32,
    updatedMs: Int64
  ) {
    self.jobID = jobID
    self.tenant = tenant
    self.channel = channel
    self.state = state
    self.attempts = attempts
    self.updatedMs = updatedMs
  }
}

/// A bare job that was refused: kept, bounded, so that somebody can find out why.
public struct RejectRow: Sendable, Equatable {
  public var receivedMs: Int64
  public var code: UInt32
  public var message: String
  /// The first bytes of what came.
  public var excerpt: [UInt8]

  public init(receivedMs: Int64, code: UInt32, message: String, excerpt: [UInt8]) {
    self.receivedMs = receivedMs
    self.code = code
    self.message = message
    self.excerpt = excerpt
  }
}

public enum LedgerWrite: Sendable, Equatable {
  /// `body` is nil when chunks were put before, by earlier writes or batches.
  case insertJob(JobRecord, body: [UInt8]?)
  case putBodyChunk(JobID, index: UInt32, [UInt8])
  /// Gives up the chunks of a job that was not and will not be inserted.
  case dropBody(JobID)
  case updateJob(JobID, JobStateRecord)
  case insertAttempt(AttemptRow)
  case putDelivery(DeliveryRow)
  /// What a failed attempt had scored, a serialized PartialScores. It takes the place of an earlier
  /// attempt's.
  case putPartialScores(JobID, attempt: UInt32, [UInt8])
  /// Of a job that ends.
  case dropPartialScores(JobID)
  /// Removes an ended job whole, for good: its row, body, attempts and scores.
  case removeJob(JobID)
  /// Retention passes the job by until as many writes with false have come as with true: somebody
  /// is about to bring it back. Not for longer than the process.
  case spareJob(JobID, Bool)
  case insertReject(RejectRow)
  /// A value that outlives the process, replacing the one under this name: there are a handful of
  /// names in all. They come back in ``RecoveredLedger/settings``.
  case putSetting(name: String, value: String)
}

public enum LedgerRead: Sendable, Equatable {
  case job(JobID, withRequest: Bool, withAttempts: Bool)
  case jobByKey(tenant: String, key: String, withRequest: Bool, withAttempts: Bool)
  /// The request's bytes, for an assignment whose body is no longer in memory.
  case body(JobID)
  /// What the latest failed attempt had scored.
  case partialScores(JobID)
  /// Whether a job with that key exists, and what it stands for.
  case key(tenant: String, key: String)
  case list(JobFilter)
}

/// Newest first.
public struct JobFilter: Sendable, Equatable {
  public var states: [JobState]
  public var tenant: String?
  public var model: String?
  /// Only ids below it; nil starts at the newest.
  public var before: JobID?
  public var limit: Int
  /// Wall clock, milliseconds since 1970, both inclusive: when the job was submitted.
  public var submittedFromMs: Int64?
  public var submittedToMs: Int64?
  /// Codes that the job ended with; only jobs that ended without success have one. Empty: any.
  public var errorCodes: [UInt32]
  /// Part of the message that the job ended with, case-insensitive for ASCII.
  public var errorContains: String?

  public init(
    states: [JobState] = [], tenant: String? = nil, model: String? = nil, before: JobID? = nil,
    limit: Int = 100, submittedFromMs: Int64? = nil, submittedToMs: Int64? = nil,
    errorCodes: [UInt32] = [], errorContains: String? = nil
  ) {
    self.states = states
    self.tenant = tenant
    self.model = model
    self.before = before
    self.limit = limit
    self.submittedFromMs = submittedFromMs
    self.submittedToMs = submittedToMs
    self.errorCodes = errorCodes
    self.errorContains = errorContains
  }

  /// Whether it asks for jobs that ended without success, and for no others.
  public var wantsErrors: Bool { !errorCodes.isEmpty || errorContains != nil }
}

public enum LedgerReadResult: Sendable, Equatable {
  /// nil: there is no such job (any more).
  case job(StoredJob?)
  case body([UInt8]?)
  /// nil: there are none.
  case partialScores([UInt8]?)
  case key(KeyedJob?)
  case list([StoredJob])
  /// The ledger could not be read: the message says why.
  case failed(String)
}

public struct KeyedJob: Sendable, Equatable {
  public var id: JobID
  public var payloadHash: [UInt8]
  public var state: JobState

  public init(id: JobID, payloadHash: [UInt8], state: JobState) {
    self.id = id
    self.payloadHash = payloadHash
    self.state = state
  }
}

/// A job as the ledger has it, with what the read asked for.
public struct StoredJob: Sendable, Equatable {
  public var record: JobRecord
  public var delivery: DeliveryRow?
  /// The result of the attempt that succeeded.
  public var result: [UInt8]?
  public var attempts: [AttemptRow]
  public var request: [UInt8]?

  public init(
    record: JobRecord, delivery: DeliveryRow? = nil, result: [UInt8]? = nil,
    attempts: [AttemptRow] = [], request: [UInt8]? = nil
  ) {
    self.record = record
    self.delivery = delivery
    self.result = result
    self.attempts = attempts
    self.request = request
  }
}

/// What the queue starts from.
public struct RecoveredLedger: Sendable {
  /// Counted up by this opening, and durable before it is returned.
  public var epoch: UInt64
  /// The next job's sequence number.
  public var nextSequence: UInt64
  /// Every job that is not terminal, by id.
  public var liveJobs: [JobRecord]
  /// Every outcome not yet acknowledged nor parked, by job id, with the terminal job it belongs to.
  public var pendingDeliveries: [(delivery: DeliveryRow, job: JobRecord)]
  /// Everything that ``LedgerWrite/putSetting(name:value:)`` wrote, by name.
  public var settings: [String: String]
  /// Of which attempt there are partial scores.
  public var partialScores: [JobID: UInt32]

  public init(
    epoch: UInt64, nextSequence: UInt64, liveJobs: [JobRecord],
    pendingDeliveries: [(delivery: DeliveryRow, job: JobRecord)], settings: [String: String] = [:],
    partialScores: [JobID: UInt32] = [:]
  ) {
    self.epoch = epoch
    self.nextSequence = nextSequence
    self.liveJobs = liveJobs
    self.pendingDeliveries = pendingDeliveries
    self.settings = settings
    self.partialScores = partialScores
  }
}
