import GRDB

/// The tables. A migration that was released never changes; what comes later is a migration of its
/// own.
///
/// Rows are keyed by the job's sequence number alone, since a file belongs to one shard: small
/// keys, and every table grows at its right edge. What belongs to one job and comes several times
/// (chunks of its body, its attempts) is keyed by the sequence and an ordinal in one integer, so
/// that no table needs a second b-tree. See ``RowKey``.
enum LedgerSchema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("v1") { database in
      try database.execute(sql: version1)
    }
    migrator.registerMigration("v2") { database in
      try database.execute(sql: version2)
    }
    migrator.registerMigration("v3") { database in
      try database.execute(sql: version3)
    }
    return migrator
  }

  /// Above every number that was given to a job: one number, of a ledger that was opened once.
  static let nextSequence = """
    SELECT max(
      sequence_floor, (SELECT ifnull(max(id), 0) + 1 FROM jobs),
      (SELECT (ifnull(max(id), 0) >> 15) + 1 FROM bodies),
      (SELECT (ifnull(max(id), 0) >> 15) + 1 FROM attempts))
    FROM meta
    """

  private static let version1 = """
    CREATE TABLE meta (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      shard INTEGER NOT NULL,
      -- Counted up by every opening.
      epoch INTEGER NOT NULL,
      -- No sequence number below it is given out again, even when its job was removed.
      sequence_floor INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- One row a job: its state first, then the way of its outcome, then what never changes.
    CREATE TABLE jobs (
      id INTEGER PRIMARY KEY,
      state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
      deadline_ms INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      attempts_spent INTEGER NOT NULL,
      workers_lost INTEGER NOT NULL,
      ready_at_ms INTEGER NOT NULL,
      worker_id TEXT,
      leased_at_ms INTEGER NOT NULL,
      updated_ms INTEGER NOT NULL,
      end_code INTEGER NOT NULL,
      end_message TEXT,
      delivery_state INTEGER NOT NULL CHECK (delivery_state BETWEEN 0 AND 3),
      delivery_attempts INTEGER NOT NULL,
      delivery_updated_ms INTEGER NOT NULL,
      model TEXT NOT NULL,
      tenant TEXT NOT NULL,
      priority INTEGER NOT NULL,
      idempotency_key TEXT,
      payload_hash BLOB,
      reply_channel TEXT,
      reply_to TEXT,
      traceparent TEXT,
      max_attempts INTEGER NOT NULL,
      submitted_ms INTEGER NOT NULL,
      deadline_after_ms INTEGER NOT NULL,
      body_bytes INTEGER NOT NULL,
      body_chunks INTEGER NOT NULL,
      CHECK ((idempotency_key IS NULL) = (payload_hash IS NULL))
    ) STRICT;

    -- What somebody still waits for: it is all that a restart reads.
    CREATE INDEX jobs_open ON jobs (id) WHERE state <= 3 OR delivery_state = 1;
    -- What people look for and may retry; jobs that succeed never enter it.
    CREATE INDEX jobs_unsuccessful ON jobs (id) WHERE state >= 5;
    CREATE UNIQUE INDEX jobs_key ON jobs (tenant, idempotency_key)
      WHERE idempotency_key IS NOT NULL;

    CREATE TABLE bodies (id INTEGER PRIMARY KEY, chunk BLOB NOT NULL) STRICT;

    -- Jobs of which chunks have come and no row yet.
    CREATE TABLE uploads (id INTEGER PRIMARY KEY) STRICT;

    CREATE TABLE attempts (
      id INTEGER PRIMARY KEY,
      worker_id TEXT NOT NULL,
      started_ms INTEGER NOT NULL,
      ended_ms INTEGER NOT NULL,
      end INTEGER NOT NULL CHECK (end BETWEEN 1 AND 5),
      code INTEGER NOT NULL,
      message TEXT NOT NULL,
      result BLOB
    ) STRICT;

    CREATE TABLE rejects (
      id INTEGER PRIMARY KEY,
      received_ms INTEGER NOT NULL,
      code INTEGER NOT NULL,
      message TEXT NOT NULL,
      excerpt BLOB NOT NULL
    ) STRICT;
    """

  private static let version2 = """
    ALTER TABLE jobs ADD COLUMN allow_fallback INTEGER NOT NULL DEFAULT 0;

    -- What failed attempts of live jobs had scored, keyed like attempts: only the latest is kept.
    CREATE TABLE partial_scores (id INTEGER PRIMARY KEY, scores BLOB NOT NULL) STRICT;
    """

  private static let version3 = """
    -- What is kept of each tenant; see StoredJobs.
    CREATE TABLE tenants (
      name TEXT PRIMARY KEY, jobs INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO tenants SELECT tenant, count(*), sum(body_bytes) FROM jobs GROUP BY tenant;
    """
}

/// The integer key of a row that belongs to one job: 48 bits of sequence, 15 bits of ordinal.
enum RowKey {
  static let ordinalMax: UInt32 = 0x7FFF

  static func first(_ sequence: Int64) -> Int64 { sequence << 15 }
  static func last(_ sequence: Int64) -> Int64 { sequence << 15 | Int64(ordinalMax) }

  /// Attempts beyond the last ordinal share it, so the history of a job is bounded and keeps its
  /// newest attempt.
  static func attempt(_ sequence: Int64, _ attempt: UInt32) -> Int64 {
    sequence << 15 | Int64(min(attempt, ordinalMax))
  }

  static func chunk(_ sequence: Int64, _ index: UInt32) throws(LedgerError) -> Int64 {
    guard index <= ordinalMax else {
      throw LedgerError(
        .invariant, "chunk \(index) of job \(sequence): a body has at most \(ordinalMax + 1) chunks"
      )
    }
    return sequence << 15 | Int64(index)
  }

  static func sequence(_ key: Int64) -> Int64 { key >> 15 }
  static func ordinal(_ key: Int64) -> UInt32 { UInt32(truncatingIfNeeded: key) & ordinalMax }
}
