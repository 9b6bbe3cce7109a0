import RerankdProtocol

/// A model's queue: its ready jobs, its workers, and what stands behind it.
final class Model {
  let index: Int
  let name: String
  /// nil: jobs of an earlier run name it, the catalogue does not any more. They wait until their
  /// deadline.
  let catalogued: CatalogueModel?
  let backend: Backend
  /// Those that may score its jobs in its stead, and those whose jobs it may score.
  var fallbacks: [Model] = []
  var standsInFor: [Model] = []
  /// Whether its workers were given a job of its own last: those of the others come first then.
  var servedItselfLast = false

  var delayedCount = 0
  var readyCount = 0
  var leasedCount = 0

  var ready = ReadyQueue()
  /// Those of `ready` that a fallback may score: they are in both.
  var divertible = ReadyQueue()
  /// Ready jobs whose latest attempt met a fault of the backend, and which a fallback may score.
  var diverted = ReadyQueue()
  /// A ready job that no worker had room for, and the session that takes nothing else until it has.
  var setAside: Job?
  var reservedSession: UInt64?
  var workers: [WorkerSession] = []
  /// Since when no worker serves it, where a fallback could: a worker that cannot reach the backend
  /// does not know its models. nil while one does.
  var unservedSinceMs: Int64?
  /// Those that can take a job, least loaded first.
  var available = LazyHeap<AvailableWorker>()
  var retryBudget: RetryBudget
  var isWaitingForDispatch = false

  init(
    index: Int, name: String, catalogued: CatalogueModel?, backend: Backend,
    retryBudget: RetryBudget
  ) {
    self.index = index
    self.name = name
    self.catalogued = catalogued
    self.backend = backend
    self.retryBudget = retryBudget
  }
}
