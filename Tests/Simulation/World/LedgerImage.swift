import class GRDB.Database
import RerankdProtocol

@testable import Ledger

/// What a ledger holds: read from its tables, or made up by folding the writes that it was told are
/// durable. After a crash the two must agree.
struct LedgerImage {
  struct JobImage: Equatable {
    var record: JobRecord
    var delivery: DeliveryRow?
    var body: [UInt8]
    var attempts: [UInt32: AttemptRow] = [:]
    /// Of which attempt scores are kept.
    var partialScores: UInt32?
  }

  private(set) var jobs: [JobID: JobImage] = [:]
  private(set) var settings: [String: String] = [:]
  /// Rows that belong to no job, in words.
  private(set) var orphans: [String] = []
  private var uploads: [JobID: [UInt8]] = [:]

  init() {}

  /// In the order of the writes; what contradicts them is the real ledger's to refuse.
  mutating func fold(_ writes: some Sequence<LedgerWrite>) {
    for write in writes { fold(write) }
  }

  private mutating func fold(_ write: LedgerWrite) {
    switch write {
    case .insertJob(let record, let body):
      jobs[record.id] = JobImage(record: record, body: body ?? uploads[record.id] ?? [])
      uploads[record.id] = nil
    case .putBodyChunk(let id, _, let chunk): uploads[id, default: []] += chunk
    case .dropBody(let id): uploads[id] = nil
    case .updateJob(let id, let state): jobs[id]?.record.state = state
    case .insertAttempt(let row): jobs[row.jobID]?.attempts[row.attempt] = row
    case .putDelivery(let row): jobs[row.jobID]?.delivery = row
    case .putPartialScores(let id, let attempt, _): jobs[id]?.partialScores = attempt
    case .dropPartialScores(let id): jobs[id]?.partialScores = nil
    case .putSetting(let name, let value): settings[name] = value
    case .removeJob(let id): jobs[id] = nil
    case .insertReject, .spareJob: break
    }
  }

  mutating func remove(_ id: JobID) { jobs[id] = nil }

  /// Recovery sweeps chunks whose job never came.
  mutating func forgetUploads() { uploads = [:] }

  /// Where the other, read from the tables, differs; nil: nowhere. A job that is not there is asked
  /// about.
  func firstDifference(
    from stored: LedgerImage, mayBeGone: (JobImage) -> Bool
  ) -> String? {
    for id in jobs.keys.sorted() {
      guard let expected = jobs[id] else { continue }
      guard let found = stored.jobs[id] else {
        if mayBeGone(expected) { continue }
        return "job \(id), \(expected.record.state.state), is not in the ledger"
      }
      if found != expected { return expected.difference(from: found) }
    }
    for id in stored.jobs.keys.sorted() where jobs[id] == nil {
      return "job \(id) is in the ledger and was never written, or was removed"
    }
    for (name, value) in settings.sorted(by: { $0.key < $1.key })
    where stored.settings[name] != value {
      return "setting \(name) is \(stored.settings[name] ?? "absent"), not \(value)"
    }
    return stored.orphans.first
  }
}

extension LedgerImage.JobImage {
  func difference(from found: Self) -> String {
    let id = record.id
    if found.record.state != record.state {
      return "job \(id) is \(found.record.state) and should be \(record.state)"
    }
    if found.record != record { return "job \(id) is not the job that was submitted" }
    if found.delivery != delivery {
      return "job \(id): its delivery is \(String(describing: found.delivery)) and should be "
        + "\(String(describing: delivery))"
    }
    if found.body != body { return "job \(id) has another body" }
    if found.partialScores != partialScores { return "job \(id) has other partial scores" }
    for number in Set(attempts.keys).union(found.attempts.keys).sorted()
    where attempts[number] != found.attempts[number] {
      return "job \(id): attempt \(number) is \(String(describing: found.attempts[number])) and "
        + "should be \(String(describing: attempts[number]))"
    }
    return "job \(id) differs"
  }
}

extension LedgerImage {
  /// From the tables.
  init(_ database: Database) throws {
    let rows = try Statement(database, "SELECT \(JobColumns.all) FROM jobs")
    while try rows.step() {
      let (record, delivery) = rows.job(shard: 0)
      jobs[record.id] = JobImage(record: record, delivery: delivery, body: [])
    }
    let bodies = try Statement(database, "SELECT id, chunk FROM bodies ORDER BY id")
    while try bodies.step() {
      let id = Self.job(bodies)
      if jobs[id] == nil { orphans.append("a body of job \(id), which is not there") }
      jobs[id]?.body += bodies.bytes(1) ?? []
    }
    let attempts = try Statement(
      database,
      """
      SELECT id, worker_id, started_ms, ended_ms, end, code, message, result FROM attempts
      """)
    while try attempts.step() {
      var row = attempts.attempt(shard: 0)
      row.result = attempts.bytes(7)
      if jobs[row.jobID] == nil {
        orphans.append("an attempt of job \(row.jobID), which is not there")
      }
      jobs[row.jobID]?.attempts[row.attempt] = row
    }
    let scores = try Statement(database, "SELECT id FROM partial_scores")
    while try scores.step() {
      let id = Self.job(scores)
      if jobs[id] == nil { orphans.append("scores of job \(id), which is not there") }
      jobs[id]?.partialScores = RowKey.ordinal(scores.int(0))
    }
    let stored = try Statement(database, "SELECT name, value FROM settings")
    while try stored.step() { settings[stored.text(0) ?? ""] = stored.text(1) ?? "" }
  }

  private static func job(_ row: Statement) -> JobID {
    JobID(shard: 0, sequence: UInt64(RowKey.sequence(row.int(0))))
  }
}
