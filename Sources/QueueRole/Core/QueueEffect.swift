import Ledger
import RerankdProtocol
import SwiftProtobuf

/// What the queue wants done. The shell adds the writes of one or more `apply` calls to a batch, in
/// order, and sends nothing of those calls before that batch is durable.
enum QueueEffect: Sendable {
  case write(LedgerWrite)
  /// Answered by `QueueInput.read`, from a state of the ledger that holds every write before it.
  case read(ReadTicket, LedgerRead)
  /// Begun at once; its end is told by `QueueInput.performed`.
  case perform(ReadTicket, LedgerTask)

  /// Ends a unary call with its answer: a message of the method's response type.
  case answer(CallRef, any Message & Sendable)
  /// Ends any call with an error status.
  case fail(CallRef, CallError)
  /// Ends a stream with OK.
  case finish(CallRef)

  /// First message to a worker.
  case attached(CallRef, AttachedNotice)
  /// The shell adds each job's body, from memory or from the ledger, and its partial scores.
  case assign(CallRef, [AssignmentOrder])
  case workerNotice(CallRef, WorkerNotice)

  /// The shell adds each job's result, from memory or from the ledger.
  case deliver(CallRef, [DeliveryOrder])
  case deliveriesRecorded(CallRef, [JobID])
  /// Best effort: push the outcome to a PULL socket.
  case push(endpoint: String, OutcomeOrder)

  /// The job's body (and, when its delivery has ended, its result) is of no more use in memory.
  case forgetBody(JobID)
  case forgetResult(JobID)
}

struct AttachedNotice: Sendable, Equatable {
  var epoch: UInt64
  var shard: UInt16
  var leaseMs: Int64
  var heartbeatMs: Int64
  var adopted: [JobID]
}

struct AssignmentOrder: Sendable, Equatable {
  var lease: Lease
  var model: String
  var tenant: String
  var remainingMs: Int64
  var bodyBytes: Int
  var traceparent: String?
  /// Whether the ledger has scores of an earlier attempt.
  var hasPartialScores: Bool
  /// Since it was ready.
  var waitedMs: Int64 = 0
}

/// Everything in it may be present at once.
struct WorkerNotice: Sendable, Equatable {
  var recorded: [JobID] = []
  var revoked: [Lease] = []
  var drain = false
  var granted: [PermitGrantOrder] = []
  var refused: [PermitRefusalOrder] = []
}

struct PermitGrantOrder: Sendable, Equatable {
  /// The worker's name for the permit.
  var id: UInt64
  var validMs: Int64
}

struct PermitRefusalOrder: Sendable, Equatable {
  var id: UInt64
  var retryAfterMs: Int64
  var reason: String
}

/// A JobOutcome without the result, which the shell adds where the state is SUCCEEDED.
struct OutcomeOrder: Sendable, Equatable {
  var job: JobID
  var state: JobState
  var errorCode: UInt32
  var errorMessage: String
  var attempts: UInt32
  var tenant: String
  var idempotencyKey: String?
}

struct DeliveryOrder: Sendable, Equatable {
  var outcome: OutcomeOrder
  var deliveryAttempt: UInt32
}
