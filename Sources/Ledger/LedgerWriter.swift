import GRDB
import GRDBSQLite
import RerankdProtocol

/// The file's only writing connection, with its statements. It belongs to one thread: the one that
/// opens it, and then the ledger's.
///
/// The connection's settings are chosen, not inherited:
/// - `synchronous = FULL`: what is committed survives a power cut. GRDB sets NORMAL when it turns
///   WAL on, so this comes after.
/// - `wal_autocheckpoint = 0`: checkpoints happen between commits, when the thread says so.
/// - `secure_delete = OFF`: Debian's SQLite overwrites what is deleted, which would write every
///   page of a removed job once more.
/// - `cache_size` 64 MiB, so that the newest jobs and the key index stay in memory; no `mmap`,
///   since an unreadable page must come as an error and not as a signal.
/// - pages of 4 KiB, as the file system has them.
final class LedgerWriter {
  let shard: UInt16
  let queue: DatabaseQueue
  /// Frames in the WAL since it was last begun anew.
  var walFrames: Int { Int(walGauge.frames) }

  /// Writes for jobs that retention had removed meanwhile.
  private(set) var writesToRemovedJobs = 0
  private let walGauge = WALGauge()
  private var statements: WriterStatements?
  private(set) var retention: Retention
  private(set) var stored: StoredJobs
  private let rejectRowsMax: Int

  init(path: String, shard: UInt16, configuration: LedgerConfiguration) throws(LedgerError) {
    self.shard = shard
    retention = Retention(limits: configuration.retention)
    rejectRowsMax = configuration.rejectRowsMax
    stored = StoredJobs(
      [:],
      tenantMost: StoredJobs.Count(
        jobs: configuration.tenantStoredJobsMax, bytes: configuration.tenantStoredBytesMax))
    var options = Configuration()
    options.label = "ledger"
    options.foreignKeysEnabled = false
    options.journalMode = .wal
    options.busyMode = .timeout(2)
    options.prepareDatabase { try $0.execute(sql: "PRAGMA page_size = 4096") }
    do {
      queue = try DatabaseQueue(path: path, configuration: options)
      try queue.writeWithoutTransaction { [walGauge] database in
        try database.execute(
          sql: """
            PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = 0;
            PRAGMA secure_delete = OFF;
            PRAGMA cache_size = -65536;
            PRAGMA mmap_size = 0;
            """)
        // The switch to WAL may fail after it was announced, when its statement is reset.
        guard try String.fetchOne(database, sql: "PRAGMA journal_mode") == "wal" else {
          throw LedgerError(
            .io, "\(path) cannot be switched to WAL: check the volume and the system's log")
        }
        sqlite3_wal_hook(
          database.sqliteConnection,
          { gauge, _, _, frames in
            if let gauge {
              Unmanaged<WALGauge>.fromOpaque(gauge).takeUnretainedValue().frames = frames
            }
            return SQLITE_OK
          }, Unmanaged.passUnretained(walGauge).toOpaque())
      }
      let migrator = LedgerSchema.migrator
      guard try !queue.read(migrator.hasBeenSuperseded) else {
        throw LedgerError(
          .future, "\(path) was written by a newer version of rerankd: run that one, or an upgrade")
      }
      try migrator.migrate(queue)
      statements = try queue.writeWithoutTransaction { try WriterStatements($0) }
    } catch {
      throw LedgerError.wrap(error, doing: "opening \(path)")
    }
  }

  /// Makes everything in it durable, or throws and leaves nothing of it. Retention's next slice
  /// rides along, looking at twice as many rows as are inserted, so that it keeps up with any load
  /// and costs no sync of its own.
  func commit(_ transaction: LedgerTransaction, nowMs: Int64) throws(LedgerError) {
    try inTransaction { statements throws(LedgerError) in
      try apply(transaction, statements)
      try removeSlice(rowsMax: 2 * transaction.inserted + 16, nowMs: nowMs, statements)
    }
  }

  /// A slice of retention by itself, for an idle ledger.
  func removeSlice(nowMs: Int64) throws(LedgerError) {
    let rows = retention.limits.sliceRows
    try inTransaction { statements throws(LedgerError) in
      try removeSlice(rowsMax: rows, nowMs: nowMs, statements)
    }
  }

  /// The last of a transaction: then the file's counts are those of `stored`.
  private func removeSlice(
    rowsMax: Int, nowMs: Int64, _ statements: WriterStatements
  ) throws(LedgerError) {
    try retention.slice(rowsMax: rowsMax, nowMs: nowMs, &stored, statements)
    for (tenant, count) in stored.takeChanges() { try statements.put(tenant: tenant, count) }
  }

  /// Opens with what recovery found.
  func begin(stored byTenant: [String: StoredJobs.Count], liveJobs: Int) {
    stored = StoredJobs(byTenant, tenantMost: stored.tenantMost)
    retention.begin(endedJobs: stored.all.jobs - liveJobs)
  }

  func startSweep() {
    retention.startSweep()
  }

  /// Copies what the WAL holds into the file. Truncating waits for readers, the other way for
  /// nobody.
  ///
  /// - Returns: whether all of it was copied, so that the next commit begins the WAL anew.
  func checkpoint(truncating: Bool) throws(LedgerError) -> Bool {
    do {
      let result = try queue.writeWithoutTransaction {
        try $0.checkpoint(truncating ? .truncate : .passive)
      }
      if truncating { walGauge.frames = 0 }
      return result.walFrameCount == result.checkpointedFrameCount
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      return false
    } catch {
      throw LedgerError.wrap(error, doing: "checkpointing \(queue.path)")
    }
  }

  /// SQLite checkpoints as the last connection closes.
  func close() throws(LedgerError) {
    do {
      queue.writeWithoutTransaction { _ in statements = nil }
      try queue.close()
    } catch {
      throw LedgerError.wrap(error, doing: "closing \(queue.path)")
    }
  }

  func inTransaction(
    _ body: (WriterStatements) throws(LedgerError) -> Void
  ) throws(LedgerError) {
    guard let statements else { throw LedgerError(.io, "the ledger is closed") }
    let result = queue.writeWithoutTransaction { database -> Result<Void, LedgerError> in
      Result { () throws(LedgerError) in
        try statements.begin.run()
        do throws(LedgerError) {
          try body(statements)
          try statements.commit.run()
        } catch {
          // The error is what counts; SQLite may have rolled back already.
          sqlite3_exec(database.sqliteConnection, "ROLLBACK", nil, nil, nil)
          throw error
        }
      }
    }
    try result.get()
  }

  private func apply(
    _ transaction: LedgerTransaction, _ statements: WriterStatements
  ) throws(LedgerError) {
    for sequence in transaction.dropped { try statements.dropUpload(sequence) }
    for body in transaction.bodies {
      statements.insertBody.bind(1, body.key)
      try statements.insertBody.run(lending: body.chunk, at: 2)
    }
    for sequence in transaction.uploads {
      statements.insertUpload.bind(1, sequence)
      try statements.insertUpload.run()
    }
    for change in transaction.jobs {
      if let job = change.insert {
        try statements.insert(job, change.sequence, delivery: change.delivery)
        stored.add(job.tenant, bytes: Int64(job.bodyBytes))
        if !job.state.isLive { retention.jobEnded() }
      } else if try !update(change, statements) {
        try explain(change, statements)
      }
    }
    for attempt in transaction.attempts { try insert(attempt, statements) }
    for (sequence, scores) in transaction.partialScores {
      try statements.put(partialScores: scores, sequence)
    }
    for (name, value) in transaction.settings { try statements.put(setting: name, value) }
    for reject in transaction.rejects {
      try statements.insert(reject, rowsMax: rejectRowsMax)
    }
    retention.spare(transaction.spared)
    for sequence in transaction.removed { try remove(sequence, statements) }
  }

  /// - Returns: whether the job was there and the change allowed.
  private func update(
    _ change: LedgerTransaction.JobChange, _ statements: WriterStatements
  ) throws(LedgerError) -> Bool {
    guard let state = change.state, let first = change.firstState else {
      guard let delivery = change.delivery else { return true }
      return try statements.update(delivery: delivery, change.sequence)
    }
    if try statements.update(
      state, delivery: change.delivery, change.sequence, first: first, ended: false)
    {
      if !state.isLive { retention.jobEnded() }
      return true
    }
    guard first.isRetry,
      try statements.update(
        state, delivery: change.delivery, change.sequence, first: first, ended: true)
    else { return false }
    if state.isLive { retention.jobRevived() }
    return true
  }

  private func remove(_ sequence: Int64, _ statements: WriterStatements) throws(LedgerError) {
    guard let recorded = try statements.stateAndAttempt(sequence) else {
      // Retention, or an earlier removal, was there first.
      return
    }
    guard recorded.state.rawValue > JobState.leased.rawValue else {
      let id = JobID(shard: shard, sequence: UInt64(sequence))
      throw LedgerError(
        .invariant, "job \(id) is in state \(recorded.state), and cannot be removed before its end")
    }
    let size = try statements.size(sequence)
    try statements.removeJobs(sequence...sequence)
    stored.remove(size.tenant, bytes: size.bytes)
    retention.jobRemoved(sequence)
  }

  private func insert(_ attempt: AttemptRow, _ statements: WriterStatements) throws(LedgerError) {
    let sequence = Int64(attempt.jobID.sequence)
    if sequence <= retention.removedThrough, try statements.stateAndAttempt(sequence) == nil {
      writesToRemovedJobs += 1
      return
    }
    guard try statements.insert(attempt, sequence) else {
      throw LedgerError(
        .invariant,
        "attempt \(attempt.attempt) of job \(attempt.jobID) ended as \(attempt.end) after it "
          + "had succeeded")
    }
  }

  /// A change that met no row: either retention has removed the job meanwhile, whose late writes
  /// mean nothing any more, or the change contradicts what is recorded.
  private func explain(
    _ change: LedgerTransaction.JobChange, _ statements: WriterStatements
  ) throws(LedgerError) {
    let id = JobID(shard: shard, sequence: UInt64(change.sequence))
    guard let recorded = try statements.stateAndAttempt(change.sequence) else {
      guard change.sequence <= retention.removedThrough else {
        throw LedgerError(.invariant, "job \(id) is changed but was never inserted")
      }
      writesToRemovedJobs += 1
      return
    }
    let wanted =
      change.state.map { "to state \($0.state), attempt \($0.attempt)" }
      ?? "its delivery to \(change.delivery?.state ?? .none)"
    throw LedgerError(
      .invariant,
      "job \(id) is in state \(recorded.state), attempt \(recorded.attempt), and cannot change "
        + wanted)
  }
}

/// Where SQLite's WAL hook counts.
private final class WALGauge {
  var frames: Int32 = 0
}
