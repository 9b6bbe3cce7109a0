import RerankdProtocol

/// What one transaction does: the writes of some batches, folded. Several changes of one job become
/// one, and changes of a job that is inserted by the same transaction go into its insert, so that a
/// job which moves fast costs as few rows as one that does not. Pure: no SQLite in here.
struct LedgerTransaction {
  struct JobChange {
    let sequence: Int64
    var insert: JobRecord?
    /// The last state; `firstState` is what the recorded one must permit.
    var state: JobStateRecord?
    var firstState: JobStateRecord?
    var delivery: DeliveryRow?
  }

  let shard: UInt16
  private(set) var jobs: [JobChange] = []
  private(set) var bodies: [(sequence: Int64, key: Int64, chunk: [UInt8])] = []
  /// Sequences of chunks whose job is not inserted yet, and of those given up.
  private(set) var uploads: [Int64] = []
  private(set) var dropped: [Int64] = []
  /// Sequences of jobs that go for good, after everything else has been done.
  private(set) var removed: [Int64] = []
  /// By how many more, or fewer, a job is spared by retention.
  private(set) var spared: [Int64: Int] = [:]
  private(set) var attempts: [AttemptRow] = []
  private(set) var rejects: [RejectRow] = []
  private(set) var settings: [String: String] = [:]
  /// By sequence: the latest attempt's scores; nil: those of all attempts go.
  private(set) var partialScores: [Int64: (attempt: UInt32, scores: [UInt8])?] = [:]
  /// About what the transaction adds to the WAL.
  private(set) var bytes = 0
  private(set) var inserted = 0

  private var indexOfJob: [Int64: Int] = [:]

  init(shard: UInt16) {
    self.shard = shard
  }

  /// - Throws: ``LedgerError`` `.invariant` when the write contradicts an earlier one.
  mutating func add(_ write: LedgerWrite) throws(LedgerError) {
    bytes += write.bytes
    switch write {
    case .insertJob(let job, let body):
      let sequence = try sequence(job.id)
      guard indexOfJob[sequence] == nil else {
        throw LedgerError(.invariant, "job \(job.id) is inserted after it was written")
      }
      indexOfJob[sequence] = jobs.count
      jobs.append(JobChange(sequence: sequence, insert: job))
      inserted += 1
      if let body { bodies.append((sequence, RowKey.first(sequence), body)) }
    case .putBodyChunk(let id, let index, let chunk):
      let sequence = try sequence(id)
      bodies.append((sequence, try RowKey.chunk(sequence, index), chunk))
      uploads.append(sequence)
    case .dropBody(let id):
      let sequence = try sequence(id)
      bodies.removeAll { $0.sequence == sequence }
      uploads.removeAll { $0 == sequence }
      dropped.append(sequence)
    case .updateJob(let id, let state):
      try update(id, state)
    case .putDelivery(let row):
      let index = try change(row.jobID)
      jobs[index].delivery = row
    case .insertAttempt(let row):
      _ = try sequence(row.jobID)
      attempts.append(row)
    case .spareJob(let id, let spares):
      spared[try sequence(id), default: 0] += spares ? 1 : -1
    case .removeJob(let id):
      removed.append(try sequence(id))
    case .insertReject(let row):
      rejects.append(row)
    case .putSetting(let name, let value):
      settings[name] = value
    case .putPartialScores(let id, let attempt, let scores):
      partialScores[try sequence(id)] = .some((attempt, scores))
    case .dropPartialScores(let id):
      partialScores[try sequence(id)] = .some(nil)
    }
  }

  private mutating func update(_ id: JobID, _ state: JobStateRecord) throws(LedgerError) {
    let index = try change(id)
    if let earlier = jobs[index].state ?? jobs[index].insert?.state, !earlier.permits(state) {
      throw LedgerError(
        .invariant,
        "job \(id) goes from \(earlier.state), attempt \(earlier.attempt), to \(state.state), "
          + "attempt \(state.attempt)")
    }
    if jobs[index].insert != nil {
      jobs[index].insert?.state = state
    } else {
      jobs[index].firstState = jobs[index].firstState ?? state
      jobs[index].state = state
    }
  }

  private mutating func change(_ id: JobID) throws(LedgerError) -> Int {
    let sequence = try sequence(id)
    if let index = indexOfJob[sequence] { return index }
    indexOfJob[sequence] = jobs.count
    jobs.append(JobChange(sequence: sequence))
    return jobs.count - 1
  }

  private func sequence(_ id: JobID) throws(LedgerError) -> Int64 {
    guard id.shard == shard, id.sequence > 0 else {
      throw LedgerError(.invariant, "job \(id) does not belong to shard \(shard)")
    }
    return Int64(id.sequence)
  }
}

extension LedgerWrite {
  /// About what it adds to the WAL.
  var bytes: Int {
    switch self {
    case .insertJob(_, let body): 512 + (body?.count ?? 0)
    case .putBodyChunk(_, _, let chunk): 64 + chunk.count
    case .insertAttempt(let row): 128 + row.message.utf8.count + (row.result?.count ?? 0)
    case .insertReject(let row): 128 + row.message.utf8.count + row.excerpt.count
    case .putSetting(let name, let value): 64 + name.utf8.count + value.utf8.count
    case .putPartialScores(_, _, let scores): 64 + scores.count
    case .updateJob, .putDelivery, .dropBody, .dropPartialScores, .removeJob, .spareJob: 256
    }
  }

  /// Whether a transaction may end right after it: chunks before their job are harmless, while the
  /// other writes of one decision belong together.
  var permitsSplit: Bool {
    if case .putBodyChunk = self { true } else { false }
  }
}
