import GRDBSQLite

/// Where the ledger lies and how far everything in it may grow. Times are milliseconds.
public struct LedgerConfiguration: Sendable, Equatable {
  /// The SQLite file. `PATH-wal`, `PATH-shm` and `PATH.lock` lie beside it.
  public var path: String

  /// How many batches may wait for their commit; a further `commit` blocks its caller.
  public var batchesQueuedMax = 8
  /// About how many bytes go into one transaction; more is split where that is harmless.
  public var batchBytesMax = 8 << 20
  /// How many reads may wait; further ones are answered with a failure at once.
  public var readsQueuedMax = 10_000
  /// The longest that one read may hold its snapshot, and with it the WAL.
  public var readTimeoutMs: Int64 = 1_000
  /// The most jobs that one list returns.
  public var listRowsMax = 1_000

  /// The WAL is copied into the file when it has grown by this much. Its file keeps that size and
  /// is written over again, which syncs faster than a file that grows.
  public var walCheckpointBytes = 16 << 20
  /// Above this size a checkpoint waits for readers and cuts the WAL's file off.
  public var walTruncateBytes = 256 << 20
  /// An idle ledger checkpoints what is left in the WAL after this time.
  public var checkpointIntervalMs: Int64 = 10_000

  public var retention = LedgerRetention()
  public var backup = LedgerBackupLimits()
  /// How many rows one slice of a check looks at.
  public var checkSliceRows = 2_000
  /// How many refused bare jobs are kept; the oldest go first.
  public var rejectRowsMax = 1_000
  /// A tenant of whom so many jobs are kept, ended ones too, may submit no more until retention or
  /// a purge has removed some.
  public var tenantStoredJobsMax = 2_000_000
  /// So it is with the bytes of their bodies.
  public var tenantStoredBytesMax: Int64 = 128 << 30
  /// Below this much free space on the file's volume no new jobs are taken in.
  public var freeBytesReserve: UInt64 = 256 << 20

  public init(path: String) {
    self.path = path
  }

  /// Of the SQLite that ledgers are opened with here: "3.46.1".
  public static var sqliteVersion: String { String(cString: sqlite3_libversion()) }
}

/// How long ended jobs are kept. Jobs that are not terminal are never removed.
public struct LedgerRetention: Sendable, Equatable {
  /// Ended jobs older than this are removed.
  public var ageTerminalMs: Int64 = 7 * 24 * 3_600_000
  /// More ended jobs than this are removed, oldest first, from tenants with more than an equal part
  /// of them.
  public var countTerminalMax = 1_000_000
  /// When the bodies of all jobs have more bytes than this, ended ones are removed in the same way.
  public var bytesMax: Int64 = 64 << 30
  /// An outcome that no consumer has acknowledged is kept for at least this long.
  public var undeliveredAgeMinMs: Int64 = 7 * 24 * 3_600_000
  /// A job with an idempotency key is kept for at least this long after it was submitted, whatever
  /// the other limits say, so that a repeated submit finds it.
  public var keyAgeMinMs: Int64 = 24 * 3_600_000
  /// How many rows one slice looks at. A slice rides in the transaction of a commit, so this bounds
  /// what retention adds to that commit's time.
  public var sliceRows = 500
  /// How often the search for removable jobs starts anew from the oldest.
  public var intervalMs: Int64 = 60_000

  public init() {}
}

/// Backups that the queue makes of its ledger while it runs.
public struct LedgerBackupLimits: Sendable, Equatable {
  /// Where they go: on another disk than the ledger's, if they are to outlive that. nil: nowhere,
  /// and none is made.
  public var folder: String?
  /// How often the queue makes one by itself; nil: never.
  public var intervalMs: Int64?
  /// After one of those so many of the newest stay, of the files that the queue named itself.
  public var keep = 24
  /// A backup, or a check, holds one snapshot, and the write-ahead log grows meanwhile. Beyond this
  /// size it is given up.
  public var walBytesMax = 1 << 30
  /// A backup that the queue makes by itself and that failed is tried again after this time, or
  /// after the interval if that is shorter.
  public var retryMs: Int64 = 600_000

  public static var nameBytesMax: Int { 128 }

  public init() {}
}

extension LedgerConfiguration {
  /// - Throws: ``LedgerError`` `.configuration`, naming the key and what it must be.
  func validate() throws(LedgerError) {
    let positive: [(String, Int64)] = [
      ("batchesQueuedMax", Int64(batchesQueuedMax)), ("batchBytesMax", Int64(batchBytesMax)),
      ("readsQueuedMax", Int64(readsQueuedMax)), ("readTimeoutMs", readTimeoutMs),
      ("listRowsMax", Int64(listRowsMax)), ("walCheckpointBytes", Int64(walCheckpointBytes)),
      ("checkpointIntervalMs", checkpointIntervalMs), ("rejectRowsMax", Int64(rejectRowsMax)),
      ("retention.sliceRows", Int64(retention.sliceRows)),
      ("retention.intervalMs", retention.intervalMs), ("checkSliceRows", Int64(checkSliceRows)),
      ("backup.intervalMs", backup.intervalMs ?? 1), ("backup.keep", Int64(backup.keep)),
      ("backup.retryMs", backup.retryMs), ("tenantStoredJobsMax", Int64(tenantStoredJobsMax)),
      ("tenantStoredBytesMax", tenantStoredBytesMax),
    ]
    for (key, value) in positive where value < 1 {
      throw LedgerError(.configuration, "\(key) is \(value); it must be at least 1")
    }
    let notNegative: [(String, Int64)] = [
      ("retention.ageTerminalMs", retention.ageTerminalMs),
      ("retention.countTerminalMax", Int64(retention.countTerminalMax)),
      ("retention.bytesMax", retention.bytesMax),
      ("retention.undeliveredAgeMinMs", retention.undeliveredAgeMinMs),
      ("retention.keyAgeMinMs", retention.keyAgeMinMs),
    ]
    for (key, value) in notNegative where value < 0 {
      throw LedgerError(.configuration, "\(key) is \(value); it must not be negative")
    }
    guard walTruncateBytes >= walCheckpointBytes else {
      throw LedgerError(
        .configuration,
        "walTruncateBytes is \(walTruncateBytes); it must be at least walCheckpointBytes "
          + "(\(walCheckpointBytes))")
    }
    guard backup.walBytesMax >= walTruncateBytes else {
      throw LedgerError(
        .configuration,
        "backup.walBytesMax is \(backup.walBytesMax); it must be at least walTruncateBytes "
          + "(\(walTruncateBytes)), which the log reaches without a backup")
    }
    guard backup.intervalMs == nil || backup.folder != nil else {
      throw LedgerError(
        .configuration, "backup.intervalMs is set and backup.folder is not: backups need a folder")
    }
    guard !path.isEmpty else {
      throw LedgerError(.configuration, "path is empty; it must name the ledger's file")
    }
  }
}
