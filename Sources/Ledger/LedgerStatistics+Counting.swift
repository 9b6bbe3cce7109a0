import GRDB
import RerankdProtocol

extension LedgerStatistics {
  private static let tableNames = [
    "jobs", "bodies", "attempts", "partial_scores", "uploads", "rejects", "settings", "meta",
  ]

  /// Counts one table after the other, each in a snapshot of its own: that of a large table lasts
  /// as long as it takes to read it.
  init(_ read: LongRead) throws(LedgerError) {
    self.init()
    let action = "counting \(read.path)"
    for name in Self.tableNames {
      let table = try read.snapshot(doing: action) { database -> Table? in
        guard try database.tableExists(name) else { return nil }
        let rows = try Int64.fetchOne(database, sql: "SELECT count(*) FROM \(name)") ?? 0
        let bytes = try Int64.fetchOne(
          database,
          sql: """
            SELECT sum(pgsize) FROM sqlite_master JOIN dbstat USING (name)
            WHERE tbl_name = ? AND aggregate = TRUE
            """, arguments: [name])
        return Table(name: name, rows: UInt64(rows), bytes: UInt64(bytes ?? 0))
      }
      if let table { tables.append(table) }
    }
    tables.sort { ($0.bytes, $1.name) > ($1.bytes, $0.name) }
    let (states, oldestMs) = try read.snapshot(doing: action) { database in
      let rows = try Row.fetchAll(
        database, sql: "SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state")
      let states = rows.map { row in
        StateCount(
          state: JobState(rawValue: row[0] as Int) ?? .unspecified,
          jobs: UInt64(row[1] as Int64))
      }
      // Ids grow with time.
      let oldest = try Int64.fetchOne(
        database, sql: "SELECT submitted_ms FROM jobs ORDER BY id LIMIT 1")
      return (states, oldest)
    }
    self.states = states
    oldestSubmittedMs = oldestMs
    let (freePages, pageBytes, migrations) = try read.snapshot(doing: action) { database in
      (
        try Int64.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0,
        try Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 0,
        try Int.fetchOne(database, sql: "SELECT count(*) FROM grdb_migrations") ?? 0
      )
    }
    freePageBytes = UInt64(freePages * pageBytes)
    schemaVersion = migrations
    fileBytes = LedgerFile.size(read.path)
    walBytes = LedgerFile.size(read.path + "-wal")
  }
}
