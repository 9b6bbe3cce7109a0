import RerankdProtocol

/// The jobs that a session answers for, with the sums that it decides by kept up to date.
struct HeldJobs {
  struct Job {
    var lease: LeaseRef
    /// Of the request.
    var bytes: Int
    fileprivate(set) var work: Work

    var isRunning: Bool { if case .running = work { true } else { false } }
    var hasEnded: Bool { if case .ended = work { true } else { false } }
  }

  enum Work {
    case running
    /// The queue has not recorded the outcome yet.
    case ended(AttemptOutcome, bytes: Int, order: UInt64)
    /// The queue has not recorded that it was given back.
    case released
  }

  private var jobs: [UInt64: Job] = [:]
  /// Running jobs that moved since their leases were last renewed.
  private var moved: Set<UInt64> = []
  private var endedCount: UInt64 = 0

  private(set) var runningCount = 0
  private(set) var runningBytes = 0
  /// Of all outcomes that are not recorded yet.
  private(set) var outcomeBytes = 0

  var isEmpty: Bool { jobs.isEmpty }
  var hasMoved: Bool { !moved.isEmpty }

  subscript(jobID: UInt64) -> Job? { jobs[jobID] }

  /// The lease's job, if it is in work under this very lease.
  func running(_ lease: LeaseRef) -> Job? {
    guard let job = jobs[lease.jobID], job.isRunning, job.lease == lease else { return nil }
    return job
  }

  mutating func start(_ lease: LeaseRef, bytes: Int) {
    jobs[lease.jobID] = Job(lease: lease, bytes: bytes, work: .running)
    runningCount += 1
    runningBytes += bytes
  }

  /// Of a job that runs, or of one that never began here.
  mutating func release(_ lease: LeaseRef) {
    let job = remove(lease.jobID)
    jobs[lease.jobID] = Job(lease: lease, bytes: job?.bytes ?? 0, work: .released)
  }

  mutating func end(_ lease: LeaseRef, _ outcome: AttemptOutcome, bytes: Int) {
    guard let job = remove(lease.jobID) else { return }
    endedCount += 1
    outcomeBytes += bytes
    jobs[lease.jobID] = Job(
      lease: lease, bytes: job.bytes, work: .ended(outcome, bytes: bytes, order: endedCount))
  }

  mutating func noteProgress(_ lease: LeaseRef) {
    moved.insert(lease.jobID)
  }

  @discardableResult
  mutating func remove(_ jobID: UInt64) -> Job? {
    guard let job = jobs.removeValue(forKey: jobID) else { return nil }
    moved.remove(jobID)
    switch job.work {
    case .running:
      runningCount -= 1
      runningBytes -= job.bytes
    case .ended(_, let bytes, _):
      outcomeBytes -= bytes
    case .released:
      break
    }
    return job
  }

  /// The leases of jobs that moved since the last call.
  mutating func takeMoved() -> [LeaseRef] {
    defer { moved = [] }
    return moved.sorted().compactMap { jobs[$0]?.lease }
  }

  var all: [Job] { jobs.values.sorted { $0.lease.jobID < $1.lease.jobID } }

  /// Oldest first.
  var outcomes: [(outcome: AttemptOutcome, bytes: Int)] {
    jobs.values
      .compactMap { job in
        if case .ended(let outcome, let bytes, let order) = job.work {
          (order, outcome, bytes)
        } else {
          nil
        }
      }
      .sorted { $0.0 < $1.0 }
      .map { ($0.1, $0.2) }
  }
}
