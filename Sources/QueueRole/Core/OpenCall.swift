import AccessKeys
import Ledger
import RerankdProtocol
import SwiftProtobuf

/// A call that is not answered yet, or a stream.
enum OpenCall {
  case batch(any OpenBatch)
  /// A `Rerank` whose key is being looked up.
  case admission(Admission)
  /// A `Rerank` that waits for a live job.
  case outcome(JobID)
  case read(ReadTicket)
  case consumer(Consumer)
  case worker(WorkerSession)
}

/// A call that is about several jobs.
protocol OpenBatch: AnyObject {
  /// What it asks for is done all the same when nobody waits for the answer any more.
  var isCallOpen: Bool { get set }
}

/// A call about several jobs: answered when each of them has an outcome, in the order of the
/// request.
final class JobBatch<Outcome>: OpenBatch {
  let call: CallRef
  var outcomes: [Outcome]
  var remaining: Int
  var isCallOpen = true
  let answer: ([Outcome]) -> any Message & Sendable

  init(
    call: CallRef, _ outcomes: [Outcome], answer: @escaping ([Outcome]) -> any Message & Sendable
  ) {
    self.call = call
    self.outcomes = outcomes
    self.answer = answer
    remaining = outcomes.count
  }
}

/// A job on its way in: counted against the limits, while its key is looked up.
final class Admission {
  enum Origin {
    case batch(JobBatch<SubmitOutcome>, index: Int)
    case rerank(CallRef, cancelWithCall: Bool)
    case bare(excerpt: [UInt8])
    /// Its call ended early: nobody waits for what becomes of it.
    case nobody
  }

  let job: NewJob
  var origin: Origin
  let tenant: Tenant
  /// Its call ended, and with it the wish for the job.
  var isWithdrawn = false

  init(job: NewJob, origin: Origin, tenant: Tenant) {
    self.job = job
    self.origin = origin
    self.tenant = tenant
  }
}

/// One read per key, however many jobs come with it: they are settled in the order of arrival.
final class KeyLookup {
  let key: TenantName
  var waiting: [Admission] = []

  init(key: TenantName) {
    self.key = key
  }
}

/// What the answer of a `read` effect is for.
enum PendingRead {
  enum JobAnswer { case details, outcome, cancelled }

  case key(KeyLookup)
  /// nil: the job was asked for by its key.
  case job(CallRef, JobID?, JobAnswer, of: TenantScope)
  case list(CallRef, limit: Int)
  case retry(JobBatch<SubmitOutcome>, index: Int, JobID)
  /// nil: nobody asked.
  case task(CallRef?)
  case action(JobAction.Kind, JobBatch<JobAction>, index: Int, JobID)
}
