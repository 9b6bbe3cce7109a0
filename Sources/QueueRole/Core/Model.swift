import RerankdProtocol
import SwiftProtobuf

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

  /// Its jobs that have not ended, by priority.
  private(set) var depths: [Int32: PriorityCount] = [:]
  /// Those that are or were ready, by when they became it.
  private var readySince = LazyHeap<ReadySince>()
  var latencies: Latencies

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
    retryBudget: RetryBudget, latenciesMax: Int
  ) {
    latencies = Latencies(countMax: latenciesMax)
    self.index = index
    self.name = name
    self.catalogued = catalogued
    self.backend = backend
    self.retryBudget = retryBudget
  }
}

/// How deep its queue is, and how long it has been so.
extension Model {
  var delayedCount: Int { depths.values.reduce(0) { $0 + $1.delayed } }
  var readyCount: Int { depths.values.reduce(0) { $0 + $1.ready } }
  var leasedCount: Int { depths.values.reduce(0) { $0 + $1.leased } }

  func depth(of priority: Int32) -> PriorityCount {
    if let depth = depths[priority] { return depth }
    let depth = PriorityCount(priority: priority)
    depths[priority] = depth
    return depth
  }

  /// The last job of a priority ended.
  func forget(_ depth: PriorityCount) {
    depths[depth.priority] = nil
  }

  func becameReady(_ job: Job) {
    readySince.push(ReadySince(sinceMs: job.readySinceMs, job: job), isLive: \.isLive)
  }

  /// Since when the job that has been ready for longest is; nil: none is.
  var oldestReadySinceMs: Int64? {
    while let entry = readySince.top {
      if entry.isLive { return entry.sinceMs }
      readySince.pop()
    }
    return nil
  }
}

/// A model's jobs of one priority.
final class PriorityCount {
  let priority: Int32
  var delayed = 0
  var ready = 0
  var leased = 0

  init(priority: Int32) {
    self.priority = priority
  }

  var isEmpty: Bool { delayed == 0 && ready == 0 && leased == 0 }

  var message: PriorityDepth {
    PriorityDepth.with {
      $0.priority = priority
      $0.delayed = UInt64(delayed)
      $0.ready = UInt64(ready)
      $0.leased = UInt64(leased)
    }
  }
}

/// Jobs become ready in the order of time but for those given back, so that a heap of these hardly
/// ever moves anything.
private struct ReadySince: Comparable {
  var sinceMs: Int64
  var job: Job

  var isLive: Bool { job.phase.isReady && job.readySinceMs == sinceMs }

  static func < (left: ReadySince, right: ReadySince) -> Bool { left.sinceMs < right.sinceMs }
  static func == (left: ReadySince, right: ReadySince) -> Bool { left.sinceMs == right.sinceMs }
}
