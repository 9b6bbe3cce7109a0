import RerankdProtocol

/// A model's queue: its ready jobs, its workers and whether its backend takes any work.
final class Model {
  let index: Int
  let name: String
  /// nil: jobs of an earlier run name it, the catalogue does not any more. They wait until their
  /// deadline.
  let catalogued: CatalogueModel?

  var delayedCount = 0
  var readyCount = 0
  var leasedCount = 0

  var ready = ReadyQueue()
  /// A ready job that no worker had room for, and the session that takes nothing else until it has.
  var setAside: Job?
  var reservedSession: UInt64?
  var workers: [WorkerSession] = []
  /// Those that can take a job, least loaded first.
  var available = LazyHeap<AvailableWorker>()
  var gate = ModelGate.open
  var retryBudget: RetryBudget
  var isWaitingForDispatch = false

  init(index: Int, name: String, catalogued: CatalogueModel?, retryBudget: RetryBudget) {
    self.index = index
    self.name = name
    self.catalogued = catalogued
    self.retryBudget = retryBudget
  }
}

/// Whether a model's jobs are handed out.
enum ModelGate {
  /// → resting (its backend refuses everybody).
  case open
  /// → probing (the time is over), open (an operator resumes).
  case resting(untilMs: Int64, reason: String)
  /// One job at a time goes out, to see whether the backend takes work again.
  /// → open (it was scored, or failed for a reason of its own; or an operator resumes), resting.
  case probing(JobID?, reason: String)
}
