import Ledger
import RerankdProtocol

/// The ledger as the core sees it, in memory: it holds what was written, answers reads, and notes
/// every write that a ledger would refuse.
struct CoreLedger {
  private(set) var jobs: [JobID: StoredJob] = [:]
  private(set) var rejects: [RejectRow] = []
  private(set) var settings: [String: String] = [:]
  private(set) var violations: [String] = []
  private(set) var partialScores: [JobID: (attempt: UInt32, scores: [UInt8])] = [:]
  private var bodies: [JobID: [UInt8]] = [:]
  private var chunks: [JobID: [[UInt8]]] = [:]
  private var keys: [String: JobID] = [:]
  private var epoch: UInt64 = 0
  private var sequence: UInt64 = 0
  /// Reads are answered with this failure.
  var readFailure: String?

  func job(_ id: JobID) -> StoredJob? { jobs[id] }
  func body(_ id: JobID) -> [UInt8]? { bodies[id] }

  mutating func take(_ write: LedgerWrite) {
    switch write {
    case .insertJob(let record, let body):
      if jobs[record.id] != nil { violations.append("\(record.id) is inserted twice") }
      jobs[record.id] = StoredJob(record: record)
      sequence = max(sequence, record.id.sequence)
      bodies[record.id] = body ?? chunks.removeValue(forKey: record.id)?.flatMap { $0 }
      if bodies[record.id]?.count != Int(record.bodyBytes) {
        violations.append("\(record.id) has another body than it says")
      }
      if let key = record.idempotencyKey {
        let name = keyName(record.tenant, key)
        if keys[name] != nil { violations.append("key \(name) is used twice") }
        keys[name] = record.id
      }
    case .putBodyChunk(let id, let index, let chunk):
      if chunks[id, default: []].count != Int(index) { violations.append("\(id): chunk order") }
      chunks[id, default: []].append(chunk)
    case .dropBody(let id): chunks[id] = nil
    case .updateJob(let id, let state):
      guard let earlier = jobs[id]?.record.state else {
        return violations.append("\(id) is updated before it is inserted")
      }
      if !permits(earlier, state) {
        violations.append(
          "\(id): \(earlier.state)/\(earlier.attempt) → \(state.state)/\(state.attempt)")
      }
      jobs[id]?.record.state = state
    case .insertAttempt(let row):
      if jobs[row.jobID]?.attempts.contains(where: { $0.attempt == row.attempt }) != false {
        violations.append("\(row.jobID): attempt \(row.attempt) is written twice, or of no job")
      }
      jobs[row.jobID]?.attempts.append(row)
      if row.end == .succeeded { jobs[row.jobID]?.result = row.result }
    case .putDelivery(let row): jobs[row.jobID]?.delivery = row
    case .spareJob: break
    case .removeJob(let id):
      if let state = jobs[id]?.record.state.state, isLive(state) {
        violations.append("\(id) is removed while it is \(state)")
      }
      if let record = jobs.removeValue(forKey: id)?.record, let key = record.idempotencyKey {
        keys[keyName(record.tenant, key)] = nil
      }
      bodies[id] = nil
    case .insertReject(let row): rejects.append(row)
    case .putSetting(let name, let value): settings[name] = value
    case .putPartialScores(let id, let attempt, let scores):
      if (partialScores[id]?.attempt ?? 0) >= attempt {
        violations.append("\(id): scores of attempt \(attempt) come late")
      }
      partialScores[id] = (attempt, scores)
    case .dropPartialScores(let id):
      if partialScores.removeValue(forKey: id) == nil {
        violations.append("\(id): scores are dropped that were never put")
      }
    }
  }

  func answer(_ read: LedgerRead) -> LedgerReadResult {
    if let readFailure { return .failed(readFailure) }
    switch read {
    case .job(let id, let withRequest, let withAttempts):
      return .job(jobs[id].map { stored($0, withRequest, withAttempts) })
    case .jobByKey(let tenant, let key, let withRequest, let withAttempts):
      let job = keys[keyName(tenant, key)].flatMap { jobs[$0] }
      return .job(job.map { stored($0, withRequest, withAttempts) })
    case .body(let id): return .body(bodies[id])
    case .partialScores(let id): return .partialScores(partialScores[id]?.scores)
    case .key(let tenant, let key):
      guard let id = keys[keyName(tenant, key)], let record = jobs[id]?.record else {
        return .key(nil)
      }
      let hash = record.payloadHash ?? []
      return .key(KeyedJob(id: id, payloadHash: hash, state: record.state.state))
    case .list(let filter):
      let chosen = jobs.values.filter { job in
        (filter.states.isEmpty || filter.states.contains(job.record.state.state))
          && (filter.tenant ?? job.record.tenant) == job.record.tenant
          && (filter.before.map { job.record.id < $0 } ?? true)
          && job.record.submittedMs >= filter.submittedFromMs ?? .min
          && job.record.submittedMs <= filter.submittedToMs ?? .max
          && (!filter.wantsErrors || filter.matchesError(of: job.record.state))
      }
      let newest = chosen.sorted { $0.record.id > $1.record.id }.prefix(filter.limit)
      return .list(newest.map { stored($0, false, false) })
    }
  }

  /// What the next process starts from.
  mutating func reopen() -> RecoveredLedger {
    epoch += 1
    let ordered = jobs.values.sorted { $0.record.id < $1.record.id }
    return RecoveredLedger(
      epoch: epoch, nextSequence: sequence + 1,
      liveJobs: ordered.map(\.record).filter { isLive($0.state.state) },
      pendingDeliveries: ordered.compactMap { job in
        guard let delivery = job.delivery, delivery.state == .pending else { return nil }
        return (delivery, job.record)
      },
      settings: settings, partialScores: partialScores.mapValues(\.attempt))
  }

  func isLive(_ state: JobState) -> Bool {
    state == .delayed || state == .ready || state == .leased
  }

  private func permits(_ earlier: JobStateRecord, _ next: JobStateRecord) -> Bool {
    let isRetry = next.state == .ready && next.attemptsSpent == 0 && next.workersLost == 0
    return next.attempt >= earlier.attempt
      && (isLive(earlier.state) || (earlier.state != .succeeded && isRetry))
  }

  private func stored(_ job: StoredJob, _ withRequest: Bool, _ withAttempts: Bool) -> StoredJob {
    var job = job
    job.request = withRequest ? bodies[job.record.id] : nil
    if !withAttempts { job.attempts = [] }
    return job
  }

  private func keyName(_ tenant: String, _ key: String) -> String { "\(tenant)/\(key)" }
}

extension JobFilter {
  fileprivate func matchesError(of state: JobStateRecord) -> Bool {
    guard let message = state.endMessage else { return false }
    return (errorCodes.isEmpty || errorCodes.contains(state.endCode))
      && (errorContains.map { message.lowercased().contains($0.lowercased()) } ?? true)
  }
}
