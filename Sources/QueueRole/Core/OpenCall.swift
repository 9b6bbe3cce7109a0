import Ledger
import RerankdProtocol

/// A call that is not answered yet, or a stream.
enum OpenCall {
  case batch(JobBatch)
  /// A `Rerank` whose key is being looked up.
  case admission(Admission)
  /// A `Rerank` that waits for a live job.
  case outcome(JobID)
  case read(ReadTicket)
  case consumer(Consumer)
  case worker(WorkerSession)
}

/// A submit or retry call: answered when each of its jobs has an outcome, in the order of the
/// request.
final class JobBatch {
  enum Method { case submit, retry }

  let call: CallRef
  let method: Method
  var outcomes: [SubmitOutcome]
  var remaining: Int
  /// Jobs are admitted all the same when nobody waits for the answer any more.
  var isCallOpen = true

  init(call: CallRef, method: Method, count: Int) {
    self.call = call
    self.method = method
    outcomes = Array(repeating: SubmitOutcome(), count: count)
    remaining = count
  }
}

/// A job on its way in: counted against the limits, while its key is looked up.
final class Admission {
  enum Origin {
    case batch(JobBatch, index: Int)
    case rerank(CallRef, cancelWithCall: Bool)
    case bare(excerpt: [UInt8])
  }

  let job: NewJob
  let origin: Origin
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
  case job(CallRef, JobID?, JobAnswer)
  case list(CallRef, limit: Int)
  case retry(JobBatch, index: Int, JobID)
}
