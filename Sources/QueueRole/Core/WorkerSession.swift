import RerankdProtocol

/// An attached worker: one open stream.
final class WorkerSession {
  let call: CallRef
  let number: UInt64
  let workerID: String
  let request: AttachRequest
  let models: [Model]
  let attachedMs: Int64

  /// The jobs whose credit is taken.
  var held: Set<JobID> = []
  var heldBytes = 0
  /// Nothing new goes to it any more; when it holds nothing, its stream ends.
  var isDraining = false
  /// Nothing new goes to it until an operator lets it; it keeps what it holds, and its stream.
  var isPaused = false
  /// Nothing new before this: it lost a lease, or gave a job back.
  var restsUntilMs = Int64.min
  /// Nothing but this job, for which it makes room.
  var reservedFor: JobID?
  /// Asked for and not yet done with, by the worker's names for them.
  var permits: [UInt64: Permit] = [:]
  var succeeded: UInt64 = 0
  var failed: UInt64 = 0

  /// Index of the model whose turn it is.
  var nextModel = 0
  /// Of its entry in the models' heaps; others are stale.
  var rankVersion: UInt64 = 0
  /// Collected during one `apply`.
  var notice = WorkerNotice()
  var orders: [AssignmentOrder] = []
  var isTouched = false

  init(
    call: CallRef, number: UInt64, request: AttachRequest, models: [Model], attachedMs: Int64
  ) {
    self.call = call
    self.number = number
    self.request = request
    self.models = models
    self.attachedMs = attachedMs
    workerID = request.workerID
  }

  var freeBytes: Int { request.creditBytes - heldBytes }

  func isOpen(at nowMs: Int64) -> Bool {
    !isDraining && !isPaused && restsUntilMs <= nowMs
  }

  /// Its credit covers the job; or it is idle, for a job larger than any credit goes alone.
  func hasRoom(forBytes bytes: Int) -> Bool {
    held.count < request.creditJobs && (bytes <= freeBytes || held.isEmpty)
  }
}

/// A worker's place in a model's heap of those with room.
struct AvailableWorker: Comparable {
  /// Held jobs per job of credit, in 65,536ths.
  var load: UInt64
  /// Counts up with every change, so that equally loaded workers take turns.
  var version: UInt64
  var session: UInt64

  static func < (left: AvailableWorker, right: AvailableWorker) -> Bool {
    left.load != right.load ? left.load < right.load : left.version < right.version
  }
}

/// A worker whose stream ended while it held jobs, for as long as they wait for it.
struct DepartedWorker {
  /// nil after a restart of the queue, which does not know the process.
  var host: String?
  var processID: UInt32?
  var jobs: Set<JobID>
}
