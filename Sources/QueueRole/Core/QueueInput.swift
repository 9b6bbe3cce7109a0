import AccessKeys
import Ledger
import RerankdProtocol

/// A connection, numbered by the shell: never reused in a process.
struct PeerID: Hashable, Sendable {
  var rawValue: UInt64
}

/// One open call of a peer.
struct CallRef: Hashable, Sendable {
  var peer: PeerID
  /// Chosen by the peer; unique among its open calls (the shell refuses a second one).
  var call: UInt64
}

/// When `apply` runs, and the only randomness it has.
struct Moment: Sendable {
  /// Milliseconds of a clock that never jumps. All decisions use it.
  var monotonicMs: Int64
  /// Milliseconds since 1970: for what the ledger stores and people read.
  var wallMs: Int64
  /// Fresh random bits for this call.
  var seed: UInt64
}

/// What happens to the queue. Everything in it was decoded, validated and bounded by the shell.
enum QueueInput: Sendable {
  // JobQueue
  case submit(CallRef, [Submission])
  case rerank(CallRef, Submission, cancelWithCall: Bool)
  case get(
    CallRef, JobSelector, withRequest: Bool, withAttempts: Bool, of: TenantScope = .all)
  case cancel(CallRef, JobID, of: TenantScope = .all)
  case listModels(CallRef)
  /// The bare PULL intake: nobody hears of a refusal, which is counted and kept in the reject
  /// table.
  case bare(Submission, excerpt: [UInt8])

  // Replies
  case receive(CallRef, tenant: String, channel: String)
  /// More of an open `receive`.
  case receiveMore(CallRef, credit: UInt32, acknowledged: [Acknowledgement])

  // Work
  case attach(CallRef, AttachRequest)
  /// More of an open `attach`.
  case work(CallRef, WorkReport)

  // Control
  case status(CallRef)
  case listJobs(CallRef, JobFilter, ages: JobAges = JobAges())
  case retryJobs(CallRef, [JobID])
  case cancelJobs(CallRef, [JobID])
  case purgeJobs(CallRef, [JobID], undelivered: Bool)
  case listWorkers(CallRef)
  case drainWorker(CallRef, workerID: String)
  case setPaused(CallRef, Bool)
  case setBackendPaused(CallRef, backend: String, Bool)
  case setWorkerPaused(CallRef, workerID: String, Bool)
  case setDraining(CallRef, Bool)
  /// - Parameter supervisorID: nil: the only one.
  case scaleWorkers(CallRef, supervisorID: String?, workers: UInt32)
  case supervise(CallRef, SupervisorReport)
  /// A backup, a check or a count.
  case ledgerTask(CallRef, LedgerTask)

  /// The peer cancelled the call, its deadline passed, or the peer fell silent. Also ends streams.
  case callEnded(CallRef)
  /// The key of whoever made the call may come in no more: as `callEnded`, but what a worker holds
  /// goes back at once.
  case callRevoked(CallRef)
  /// Anything at all came from this peer: it is alive.
  case heard(PeerID)
  /// The answer to a `read` effect.
  case read(ReadTicket, LedgerReadResult)
  /// The end of a `perform` effect.
  case performed(ReadTicket, LedgerTaskResult)
  /// Whether there is enough free space to take in new jobs. Outcomes are recorded regardless.
  /// - Parameter fullTenants: those of whom the ledger keeps as much as it may.
  case space(acceptsSubmits: Bool, fullTenants: Set<String> = [])
  /// The shell's own figures, for status answers.
  case gauges(LedgerStatus, ShellCounters)
  /// The queue itself has not listened for a while, so silence means nothing: leases run for the
  /// grace of a worker that attaches anew at least, as after a restart.
  case silenceExcused
  /// A whole configuration, checked: what of it can hold at once does from now on.
  case configured(QueueConfiguration)
  /// A timer that `nextWakeMs` asked for.
  case tick
}

/// A job as it came in: checked by the validator, or refused by it.
enum Submission: Sendable {
  case valid(NewJob)
  case refused(CallError)
}

/// A submitted job. Sizes, counts, UTF-8, ranges and the presence of a query and documents have
/// been checked; whether its model exists and takes images too.
struct NewJob: Sendable {
  var model: String
  var tenant: String
  var priority: Int32
  var idempotencyKey: String?
  /// Present with a key.
  var payloadHash: [UInt8]?
  var replyChannel: String?
  /// On the allow-list, or the job would have been refused.
  var replyTo: String?
  var traceparent: String?
  /// nil takes the configuration's default.
  var notBeforeMs: Int64?
  var deadlineMs: Int64?
  var maxAttempts: UInt32?
  var allowFallback = false
  /// The serialized RerankRequest. The core passes it on and keeps only its length.
  var body: [UInt8]
}

enum JobSelector: Sendable, Equatable {
  case id(JobID)
  case key(tenant: String, key: String)
}

/// How long ago a listed job was submitted at least, and at most; nil: any time.
struct JobAges: Sendable, Equatable {
  var olderThanMs: Int64?
  var newerThanMs: Int64?
}

/// What a supervisor says of itself.
struct SupervisorReport: Sendable, Equatable {
  var supervisorID: String
  var host: String
  var processID: UInt32
  var workersRunning: UInt32
  var workersWanted: UInt32
  var workersMax: UInt32
}

struct AttachRequest: Sendable {
  var workerID: String
  var models: [String]
  var creditJobs: Int
  var creditBytes: Int
  var held: [Lease]
  var version: String
  var host: String
  var processID: UInt32
  /// Of the key that it came with, which its id begins with then; nil where keys are not asked for.
  var keyName: String?
}

/// The fence: (epoch, attempt) of one job.
struct Lease: Hashable, Sendable {
  var job: JobID
  var attempt: UInt32
  var epoch: UInt64
}

struct WorkReport: Sendable {
  var progress: [Lease] = []
  var outcomes: [(lease: Lease, end: WorkEnd)] = []
  var released: [Lease] = []
  var draining = false
  var permitsAsked: [PermitAsk] = []
  var permitsEnded: [PermitEnd] = []
  /// Names of backends.
  var renewedCredentials: [String] = []
}

/// A worker wants to send a request.
struct PermitAsk: Sendable, Equatable {
  /// Chosen by the worker, never reused on one stream.
  var id: UInt64
  var backend: String
  var tokens: Int
  var job: JobID
}

/// A permit is of no more use.
struct PermitEnd: Sendable, Equatable {
  var id: UInt64
  /// The request was never sent.
  var isUnused = false
  /// It was given up before its answer.
  var isUnfinished = false
  var fault = BackendFault.none
  var retryAfterMs: Int64?
  var message = ""
}

enum WorkEnd: Sendable {
  /// The serialized RerankResult, within the size limit.
  case completed([UInt8])
  case failed(WorkFailure)
}

struct WorkFailure: Sendable {
  var code: UInt32
  var message: String
  var retryable: Bool
  var retryAfterMs: Int64?
  /// The attempt does not count against the job's.
  var isUnspent = false
  var fault = BackendFault.none
  /// A serialized PartialScores, within the size limit.
  var partialScores: [UInt8]?
  /// Scores that were too large to be kept.
  var hasDroppedScores = false
}

/// What only the shell can count.
struct ShellCounters: Sendable {
  var bareRejectedMalformed: UInt64 = 0
  var pushRepliesSent: UInt64 = 0
  var pushRepliesDropped: UInt64 = 0
  var malformedMessages: UInt64 = 0
  var permissionDenied: UInt64 = 0
}

/// Pairs a `read` effect with its answer.
struct ReadTicket: Hashable, Sendable {
  var rawValue: UInt64
}
