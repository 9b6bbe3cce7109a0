import RerankdProtocol

/// Removes ended jobs that are too old, too many or too large together, oldest first, in slices.
///
/// A sweep walks the jobs in the order of their ids, which is the order of their submission, and
/// ends where a job is too young to go. What it must spare it passes by; the next sweep, an
/// interval later, looks at it again.
///
/// Number and size take from those tenants alone that have more than an equal part of what may be
/// kept, so that nobody's jobs go for another's. When all together are over, at least one of them
/// is.
struct Retention {
  let limits: LedgerRetention
  /// No job up to this sequence is certain to exist any more: the highest that was removed since
  /// the ledger was opened.
  private(set) var removedThrough: Int64 = 0
  /// Whether the sweep has more to look at.
  private(set) var hasMore = true

  private var endedJobs = 0
  private var cursor: Int64 = 0
  /// How many want to keep a job for now.
  private var spared: [Int64: Int] = [:]

  init(limits: LedgerRetention) {
    self.limits = limits
  }

  mutating func begin(endedJobs: Int) { self.endedJobs = endedJobs }
  mutating func jobEnded() { endedJobs += 1 }
  mutating func jobRevived() { endedJobs -= 1 }

  /// By somebody else than retention.
  mutating func jobRemoved(_ sequence: Int64) {
    endedJobs -= 1
    removedThrough = max(removedThrough, sequence)
  }

  mutating func spare(_ changes: [Int64: Int]) {
    for (sequence, change) in changes {
      let count = spared[sequence, default: 0] + change
      spared[sequence] = count > 0 ? count : nil
    }
  }

  /// From the oldest again. A sweep that is under way goes on: else what lies beyond many jobs that
  /// it passes by would never be reached.
  mutating func startSweep() {
    guard !hasMore else { return }
    cursor = 0
    hasMore = true
  }

  /// One slice, inside the caller's transaction. Costs nothing when there is nothing to do.
  mutating func slice(
    rowsMax: Int, nowMs: Int64, _ stored: inout StoredJobs, _ statements: WriterStatements
  ) throws(LedgerError) {
    guard hasMore || isExcessive(stored) else { return }

    var runs: [ClosedRange<Int64>] = []
    var rows = 0
    var reachedYoung = false
    let select = statements.selectRemovable
    select.bind(1, cursor)
    select.bind(2, Int64(rowsMax))
    while try select.step() {
      let job = Candidate(select)
      if !isExcessive(stored), nowMs - job.submittedMs < limits.ageTerminalMs {
        // Later ones were submitted later still.
        reachedYoung = true
        select.reset()
        break
      }
      rows += 1
      cursor = job.sequence
      guard isRemovable(job, stored, nowMs: nowMs) else { continue }
      endedJobs -= 1
      stored.remove(job.tenant, bytes: job.bytes)
      if let last = runs.last, last.upperBound + 1 == job.sequence {
        runs[runs.count - 1] = last.lowerBound...job.sequence
      } else {
        runs.append(job.sequence...job.sequence)
      }
    }
    hasMore = !reachedYoung && rows == rowsMax
    for run in runs { try statements.removeJobs(run) }
    if let highest = runs.last?.upperBound { removedThrough = max(removedThrough, highest) }
  }

  private func isExcessive(_ stored: StoredJobs) -> Bool {
    endedJobs > limits.countTerminalMax || stored.all.bytes > limits.bytesMax
  }

  private func isInExcess(_ job: Candidate, _ stored: StoredJobs) -> Bool {
    let most = StoredJobs.Count(jobs: limits.countTerminalMax, bytes: limits.bytesMax)
    let over = stored.isOverItsShare(job.tenant, of: most)
    return over.jobs && endedJobs > most.jobs || over.bytes && stored.all.bytes > most.bytes
  }

  private func isRemovable(_ job: Candidate, _ stored: StoredJobs, nowMs: Int64) -> Bool {
    guard job.state.rawValue > JobState.leased.rawValue, spared[job.sequence] == nil
    else { return false }
    let age = nowMs - job.updatedMs
    if job.isUndelivered, age < limits.undeliveredAgeMinMs { return false }
    if job.hasKey, nowMs - job.submittedMs < limits.keyAgeMinMs { return false }
    return age >= limits.ageTerminalMs || isInExcess(job, stored)
  }

  private struct Candidate {
    let sequence: Int64
    let state: JobState
    let updatedMs: Int64
    let submittedMs: Int64
    let isUndelivered: Bool
    let hasKey: Bool
    let tenant: String
    let bytes: Int64

    init(_ row: Statement) {
      sequence = row.int(0)
      state = JobState(rawValue: Int(row.int(1))) ?? .unspecified
      updatedMs = row.int(2)
      submittedMs = row.int(3)
      let delivery = DeliveryState(rawValue: Int(row.int(4))) ?? .none
      isUndelivered = delivery == .pending || delivery == .parked
      hasKey = row.int(5) != 0
      tenant = row.text(6) ?? ""
      bytes = row.int(7)
    }
  }
}
