import GRDB
import RerankdProtocol

/// The writer's statements, prepared once. What may change a job says in SQL what it may change
/// from; a statement that meets no such row returns false.
final class WriterStatements {
  let begin, commit: Statement
  let insertBody, insertUpload: Statement
  private let insertJob: Statement
  private let countChunks, deleteUpload, deleteBodies: Statement
  /// By [whether a delivery is put too][whether the job has ended].
  private let updateJob: [[Statement]]
  private let updateDelivery: Statement
  private let insertAttempt: Statement
  private let insertReject, trimRejects, putSetting: Statement
  private let insertPartialScores, deletePartialScores: Statement
  private let selectState, selectSize: Statement
  private let putTenant, deleteTenant: Statement
  private let deleteJobs, deleteAttempts, raiseFloor: Statement
  /// Retention's.
  let selectRemovable: Statement

  init(_ database: Database) throws(LedgerError) {
    func prepare(_ sql: String) throws(LedgerError) -> Statement { try Statement(database, sql) }
    begin = try prepare("BEGIN IMMEDIATE")
    commit = try prepare("COMMIT")
    insertJob = try prepare(
      "INSERT INTO jobs (\(JobColumns.all)) VALUES (\(Self.marks(JobColumns.count)))")
    insertBody = try prepare("INSERT INTO bodies (id, chunk) VALUES (?, ?)")
    insertUpload = try prepare("INSERT OR IGNORE INTO uploads (id) VALUES (?)")
    countChunks = try prepare("SELECT count(*) FROM bodies WHERE id BETWEEN ? AND ?")
    deleteUpload = try prepare("DELETE FROM uploads WHERE id = ?")
    deleteBodies = try prepare("DELETE FROM bodies WHERE id BETWEEN ? AND ?")
    func update(_ columns: String, _ count: Int32, _ from: String) throws(LedgerError) -> Statement
    {
      try prepare(
        """
        UPDATE jobs SET (\(columns)) = (\(Self.marks(count)))
        WHERE id = ? AND attempt <= ? AND \(from)
        """)
    }
    var byDelivery: [[Statement]] = []
    for (columns, count) in [
      (JobColumns.state, JobColumns.stateCount),
      (
        "\(JobColumns.state), \(JobColumns.delivery)",
        JobColumns.stateCount + JobColumns.deliveryCount
      ),
    ] {
      byDelivery.append([
        try update(columns, count, "state <= 3"), try update(columns, count, "state >= 5"),
      ])
    }
    updateJob = byDelivery
    // What a consumer has acknowledged is delivered for good, unless the job was retried since.
    updateDelivery = try prepare(
      """
      UPDATE jobs SET (\(JobColumns.delivery)) = (?1, ?2, ?3)
      WHERE id = ?4 AND (delivery_state <> 2 OR ?1 = 2 OR state <= 3)
      """)
    // An attempt that was given up for lost may succeed after all; one that succeeded stays.
    insertAttempt = try prepare(
      """
      INSERT INTO attempts (id, worker_id, started_ms, ended_ms, end, code, message, result)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET
        (worker_id, started_ms, ended_ms, end, code, message, result) =
        (excluded.worker_id, excluded.started_ms, excluded.ended_ms, excluded.end, excluded.code,
         excluded.message, excluded.result)
      WHERE end <> 1
      """)
    insertReject = try prepare(
      "INSERT INTO rejects (received_ms, code, message, excerpt) VALUES (?, ?, ?, ?)")
    trimRejects = try prepare(
      "DELETE FROM rejects WHERE id <= (SELECT max(id) FROM rejects) - ?")
    putSetting = try prepare("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)")
    insertPartialScores = try prepare("INSERT INTO partial_scores (id, scores) VALUES (?, ?)")
    deletePartialScores = try prepare("DELETE FROM partial_scores WHERE id BETWEEN ? AND ?")
    selectState = try prepare("SELECT state, attempt FROM jobs WHERE id = ?")
    selectSize = try prepare("SELECT tenant, body_bytes FROM jobs WHERE id = ?")
    putTenant = try prepare("INSERT OR REPLACE INTO tenants (name, jobs, bytes) VALUES (?, ?, ?)")
    deleteTenant = try prepare("DELETE FROM tenants WHERE name = ?")
    selectRemovable = try prepare(
      """
      SELECT id, state, updated_ms, submitted_ms, delivery_state, idempotency_key IS NOT NULL,
        tenant, body_bytes
      FROM jobs WHERE id > ? ORDER BY id LIMIT ?
      """)
    deleteJobs = try prepare("DELETE FROM jobs WHERE id BETWEEN ? AND ?")
    deleteAttempts = try prepare("DELETE FROM attempts WHERE id BETWEEN ? AND ?")
    raiseFloor = try prepare("UPDATE meta SET sequence_floor = max(sequence_floor, ?)")
  }

  func insert(_ job: JobRecord, _ sequence: Int64, delivery: DeliveryRow?) throws(LedgerError) {
    insertJob.bind(1, sequence)
    insertJob.bind(job.state, from: 2)
    insertJob.bind(delivery, from: 2 + JobColumns.stateCount)
    insertJob.bindSpec(job, from: 2 + JobColumns.stateCount + JobColumns.deliveryCount)
    try insertJob.run()
    guard job.bodyChunks > 0 else { return }
    deleteUpload.bind(1, sequence)
    try deleteUpload.run()
    countChunks.bind(1, RowKey.first(sequence))
    countChunks.bind(2, RowKey.last(sequence))
    let count = try countChunks.step() ? countChunks.int(0) : 0
    countChunks.reset()
    guard count == Int64(job.bodyChunks) else {
      throw LedgerError(
        .invariant, "job \(job.id) has \(job.bodyChunks) chunks, and \(count) of them were put")
    }
  }

  /// Removes the chunks of a job that never came to be.
  func dropUpload(_ sequence: Int64) throws(LedgerError) {
    deleteUpload.bind(1, sequence)
    try deleteUpload.run()
    guard deleteUpload.changes > 0 else { return }
    deleteBodies.bind(1, RowKey.first(sequence))
    deleteBodies.bind(2, RowKey.last(sequence))
    try deleteBodies.run()
  }

  func update(
    _ state: JobStateRecord, delivery: DeliveryRow?, _ sequence: Int64, first: JobStateRecord,
    ended: Bool
  ) throws(LedgerError) -> Bool {
    let statement = updateJob[delivery == nil ? 0 : 1][ended ? 1 : 0]
    statement.bind(state, from: 1)
    var next = 1 + JobColumns.stateCount
    if let delivery {
      statement.bind(delivery, from: next)
      next += JobColumns.deliveryCount
    }
    statement.bind(next, sequence)
    statement.bind(next + 1, Int64(first.attempt))
    try statement.run()
    return statement.changes > 0
  }

  func update(delivery: DeliveryRow, _ sequence: Int64) throws(LedgerError) -> Bool {
    updateDelivery.bind(delivery, from: 1)
    updateDelivery.bind(4, sequence)
    try updateDelivery.run()
    return updateDelivery.changes > 0
  }

  func insert(_ attempt: AttemptRow, _ sequence: Int64) throws(LedgerError) -> Bool {
    insertAttempt.bind(1, RowKey.attempt(sequence, attempt.attempt))
    insertAttempt.bind(2, attempt.workerID)
    insertAttempt.bind(3, attempt.startedMs)
    insertAttempt.bind(4, attempt.endedMs)
    insertAttempt.bind(5, Int64(attempt.end.rawValue))
    insertAttempt.bind(6, Int64(attempt.code))
    insertAttempt.bind(7, attempt.message)
    insertAttempt.bind(8, attempt.result)
    try insertAttempt.run()
    return insertAttempt.changes > 0
  }

  func insert(_ reject: RejectRow, rowsMax: Int) throws(LedgerError) {
    insertReject.bind(1, reject.receivedMs)
    insertReject.bind(2, Int64(reject.code))
    insertReject.bind(3, reject.message)
    insertReject.bind(4, reject.excerpt)
    try insertReject.run()
    trimRejects.bind(1, Int64(rowsMax))
    try trimRejects.run()
  }

  func put(setting name: String, _ value: String) throws(LedgerError) {
    putSetting.bind(1, name)
    putSetting.bind(2, value)
    try putSetting.run()
  }

  /// - Parameter scores: nil leaves the job without.
  func put(
    partialScores scores: (attempt: UInt32, scores: [UInt8])?, _ sequence: Int64
  ) throws(LedgerError) {
    deletePartialScores.bind(1, RowKey.first(sequence))
    deletePartialScores.bind(2, RowKey.last(sequence))
    try deletePartialScores.run()
    guard let scores else { return }
    insertPartialScores.bind(1, RowKey.attempt(sequence, scores.attempt))
    try insertPartialScores.run(lending: scores.scores, at: 2)
  }

  /// Removes jobs that have ended, with all that belongs to them; their numbers are never given out
  /// again.
  func removeJobs(_ sequences: ClosedRange<Int64>) throws(LedgerError) {
    deleteJobs.bind(1, sequences.lowerBound)
    deleteJobs.bind(2, sequences.upperBound)
    try deleteJobs.run()
    for statement in [deleteBodies, deleteAttempts, deletePartialScores] {
      statement.bind(1, RowKey.first(sequences.lowerBound))
      statement.bind(2, RowKey.last(sequences.upperBound))
      try statement.run()
    }
    raiseFloor.bind(1, sequences.upperBound + 1)
    try raiseFloor.run()
  }

  func stateAndAttempt(_ sequence: Int64) throws(LedgerError) -> (state: JobState, attempt: Int64)?
  {
    selectState.bind(1, sequence)
    guard try selectState.step() else { return nil }
    defer { selectState.reset() }
    return (JobState(rawValue: Int(selectState.int(0))) ?? .unspecified, selectState.int(1))
  }

  /// Whose the job is, and how large its body.
  func size(_ sequence: Int64) throws(LedgerError) -> (tenant: String, bytes: Int64) {
    selectSize.bind(1, sequence)
    guard try selectSize.step() else { return ("", 0) }
    defer { selectSize.reset() }
    return (selectSize.text(0) ?? "", selectSize.int(1))
  }

  /// - Parameter count: nil: there are no jobs of the tenant any more.
  func put(tenant: String, _ count: StoredJobs.Count?) throws(LedgerError) {
    let statement = count == nil ? deleteTenant : putTenant
    statement.bind(1, tenant)
    if let count {
      statement.bind(2, Int64(count.jobs))
      statement.bind(3, count.bytes)
    }
    try statement.run()
  }

  private static func marks(_ count: Int32) -> String {
    repeatElement("?", count: Int(count)).joined(separator: ", ")
  }
}
