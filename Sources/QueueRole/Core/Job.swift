import Ledger
import RerankdProtocol

/// A job that has not ended, in memory.
final class Job {
  let model: Model
  let tenant: Tenant
  /// What the ledger has or will have at the end of this `apply`.
  var record: JobRecord
  var phase: JobPhase
  var deadlineMs: Int64
  /// When it was submitted, or brought back by a retry.
  let submittedMs: Int64
  /// The counts that it is in.
  let depth: PriorityCount
  /// The `Rerank` calls that wait for its outcome, and those that cancel it when they end.
  var waiters: [CallRef] = []
  var owner: CallRef?
  /// Since when it is ready, whoever had it in between and gave it back unspent.
  var readySinceMs: Int64 = 0
  /// For its place in the model's `ReadyQueue`; nil while it is not in there.
  var readyKey: Int64?
  /// Counts up each time it becomes ready, so that its former places in queues are known as such.
  var readyVersion: UInt64 = 0
  /// Its latest attempt met a fault of its backend: a fallback goes first, where there is one.
  var isDiverted = false
  /// Of which attempt the ledger has scores for the next; 0: of none.
  var partialScoresAttempt: UInt32 = 0
  /// The attempts that were lost in this process, and the workers that may still be at them: no more
  /// than a job may have attempts.
  var lostBy: [UInt32: String] = [:]
  /// Until the end of the `apply` that created it.
  var newBody: [UInt8]?
  var isChanged = false

  init(
    record: JobRecord, model: Model, tenant: Tenant, phase: JobPhase, deadlineMs: Int64,
    submittedMs: Int64
  ) {
    self.submittedMs = submittedMs
    depth = model.depth(of: record.priority)
    self.record = record
    self.model = model
    self.tenant = tenant
    self.phase = phase
    self.deadlineMs = deadlineMs
  }

  var id: JobID { record.id }
  var bodyBytes: Int { Int(clamping: record.bodyBytes) }
  var mayFallBack: Bool { record.allowFallback && !model.fallbacks.isEmpty }
  var lease: JobLease? {
    if case .leased(let lease) = phase { lease } else { nil }
  }
}

enum JobPhase {
  /// Waits for its time.
  /// → ready (the time came), ended (cancelled, expired, completed late).
  case delayed(untilMs: Int64)
  /// Waits for a worker.
  /// → leased (assigned), ended (cancelled, expired, completed late).
  case ready
  /// A worker has it.
  /// → ended (completed, failed for good, cancelled, expired), delayed (failed or lost, with
  /// attempts left, or given back though its backend is open), ready (released, or its backend is
  /// closed).
  case leased(JobLease)
  /// No way out here. A control retry makes a new `Job` of what the ledger has.
  case ended

  var isReady: Bool {
    if case .ready = self { true } else { false }
  }
}

/// Who works on a job and until when we believe so.
final class JobLease {
  enum Holder {
    /// → departed (its stream ended or was fenced).
    case session(WorkerSession)
    /// Its worker is away. → session (it came back and lists the job); or the lease runs out.
    case departed
  }

  let attempt: UInt32
  let workerID: String
  /// The model that scores: the job's, or a fallback of it.
  let model: Model
  /// nil: given by this queue before a restart, in an epoch that the ledger does not say.
  var epoch: UInt64?
  /// When it was given; nil with the epoch.
  let assignedMs: Int64?
  var holder: Holder
  var expiresMs: Int64
  /// When the timer that looks after it fires; later than `expiresMs` never, earlier often.
  var timerDueMs: Int64

  init(
    attempt: UInt32, workerID: String, model: Model, epoch: UInt64?, assignedMs: Int64?,
    holder: Holder, expiresMs: Int64
  ) {
    self.assignedMs = assignedMs
    self.attempt = attempt
    self.workerID = workerID
    self.model = model
    self.epoch = epoch
    self.holder = holder
    self.expiresMs = expiresMs
    timerDueMs = expiresMs
  }

  var session: WorkerSession? {
    if case .session(let session) = holder { session } else { nil }
  }
}

/// Counts of one tenant. Kept while it has live jobs or jobs on the way in.
final class Tenant {
  let name: String
  var jobs = 0
  var bytes: Int64 = 0

  init(name: String) {
    self.name = name
  }
}

/// A (tenant, name) pair: an idempotency key or a reply channel.
struct TenantName: Hashable {
  var tenant: String
  var name: String
}
