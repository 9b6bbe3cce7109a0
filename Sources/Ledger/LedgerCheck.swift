import Dispatch
import GRDB
import RerankdProtocol

/// Whether a ledger is sound: as a file, which SQLite judges, and as a ledger.
///
/// SQLite's own check cannot be cut up, and holds one snapshot while it reads the whole file. The
/// ledger's invariants are looked at in slices of some thousand rows, each of them a snapshot of
/// its own: what they hold together is written together, so every slice is consistent in itself.
struct LedgerCheck {
  static func report(_ read: LongRead, sliceRows: Int) throws(LedgerError) -> LedgerCheckReport {
    let start = DispatchTime.now().uptimeNanoseconds
    var check = LedgerCheck(read: read, sliceRows: sliceRows)
    check.problems = try integrityProblems(read)
    // A damaged file would only be said to be damaged once more.
    if check.problems.isEmpty { try check.run() }
    let nanoseconds = DispatchTime.now().uptimeNanoseconds - start
    return LedgerCheckReport(
      problems: Array(check.problems.prefix(LedgerCheckReport.problemsMax)), jobs: check.jobs,
      durationMs: nanoseconds / 1_000_000)
  }

  static func integrityProblems(_ read: LongRead) throws(LedgerError) -> [String] {
    let lines = try read.snapshot(doing: "checking \(read.path)") { database in
      try String.fetchAll(
        database, sql: "PRAGMA integrity_check(\(LedgerCheckReport.problemsMax))")
    }
    if lines == ["ok"] { return [] }
    // SQLite puts a heading and many problems into one row.
    let problems = lines.flatMap { $0.split(separator: "\n") }.filter { !$0.hasPrefix("***") }
    return problems.isEmpty ? lines : problems.map(String.init)
  }

  private let read: LongRead
  private let sliceRows: Int
  private var shard: UInt16 = 0
  private var problems: [String] = []
  private var jobs: UInt64 = 0

  private init(read: LongRead, sliceRows: Int) {
    self.read = read
    self.sliceRows = sliceRows
  }

  private mutating func run() throws(LedgerError) {
    let shards = try read.snapshot(doing: "checking \(read.path)") { database in
      guard try database.tableExists("meta") else { return [Int64]() }
      return try Int64.fetchAll(database, sql: "SELECT shard FROM meta")
    }
    guard let shard = shards.first, let own = UInt16(exactly: shard) else {
      problems.append("it is no ledger: it does not say whose jobs it keeps")
      return
    }
    self.shard = own
    problems += try read.snapshot(doing: "checking \(read.path)") { database in
      guard try database.tableExists("tenants") else { return [] }
      return try String.fetchAll(database, sql: Self.tenants)
    }
    try walk("jobs", counting: true, [Self.bodies, Self.states])
    try walk("bodies", [Self.bodiesWithoutJob])
    try walk("attempts", [Self.attemptsWithoutJob])
    try walk("partial_scores", [Self.scoresWithoutJob])
    try walk("uploads", [Self.uploadsOfJobs])
  }

  /// Runs the queries over a table's rows, slice by slice. Each answers (sequence, problem) for the
  /// rows with ids above ?1, up to ?2.
  private mutating func walk(
    _ table: String, counting: Bool = false, _ queries: [String]
  ) throws(LedgerError) {
    var cursor = Int64.min
    while problems.count < LedgerCheckReport.problemsMax {
      let (last, rows, found) = try read.snapshot(doing: "checking \(read.path)") {
        database -> (Int64?, Int, [String]) in
        let ids = "SELECT id FROM \(table) WHERE id > ? ORDER BY id LIMIT ?"
        let slice = try Row.fetchOne(
          database, sql: "SELECT max(id), count(*) FROM (\(ids))", arguments: [cursor, sliceRows])
        guard let slice, let last = slice[0] as Int64? else { return (nil, 0, []) }
        var found: [String] = []
        for query in queries {
          let rows = try Row.fetchCursor(database, sql: query, arguments: [cursor, last])
          while let row = try rows.next() {
            found.append("job \(shard)-\(row[0] as Int64): \(row[1] as String)")
          }
        }
        return (last, slice[1], found)
      }
      problems += found
      if counting { jobs += UInt64(rows) }
      guard let last else { return }
      cursor = last
    }
  }
}

/// What a ledger is, in SQL: each query finds what contradicts it.
extension LedgerCheck {
  private static let bodies = """
    SELECT jobs.id, 'its body has ' || ifnull(sum(length(chunk)), 0) || ' bytes in '
      || count(bodies.id) || ' rows, and should have ' || body_bytes || ' in '
      || max(body_chunks, 1)
    FROM jobs LEFT JOIN bodies ON bodies.id BETWEEN jobs.id << 15 AND (jobs.id << 15 | 32767)
    WHERE jobs.id > ?1 AND jobs.id <= ?2 GROUP BY jobs.id
    HAVING count(bodies.id) <> max(body_chunks, 1) OR ifnull(sum(length(chunk)), 0) <> body_bytes
    """

  /// This one looks at all jobs in one snapshot: a sum is of all or of none.
  static let tenants = """
    WITH counted AS
      (SELECT tenant, count(*) AS jobs, sum(body_bytes) AS bytes FROM jobs GROUP BY tenant)
    SELECT 'tenant "' || ifnull(tenant, name) || '" has ' || ifnull(counted.jobs, 0)
      || ' jobs with ' || ifnull(counted.bytes, 0) || ' bytes, and is said to have '
      || ifnull(tenants.jobs, 0) || ' with ' || ifnull(tenants.bytes, 0)
    FROM counted FULL JOIN tenants ON name = tenant
    WHERE counted.jobs IS NOT tenants.jobs OR counted.bytes IS NOT tenants.bytes
    """

  private static let states = """
    SELECT id, CASE
      WHEN state = 3 AND worker_id IS NULL THEN 'it is leased, and to no worker'
      WHEN state <> 3 AND worker_id IS NOT NULL THEN 'a worker has it, and it is not leased'
      WHEN attempts_spent > attempt THEN 'it has spent more attempts than it had'
      WHEN state <= 3 AND delivery_state = 1
        THEN 'it has not ended, and its outcome is on its way'
      WHEN state >= 4 AND reply_channel IS NOT NULL AND delivery_state = 0
        THEN 'it has ended, and its outcome is not on its way to its channel'
      WHEN reply_channel IS NULL AND delivery_state <> 0
        THEN 'its outcome is on its way, and it has no channel'
      WHEN state = 4 AND NOT EXISTS (
        SELECT 1 FROM attempts
        WHERE attempts.id BETWEEN jobs.id << 15 AND (jobs.id << 15 | 32767)
          AND end = 1 AND result IS NOT NULL) THEN 'it succeeded, and has no result'
    END AS problem
    FROM jobs WHERE id > ?1 AND id <= ?2 AND problem IS NOT NULL
    """

  private static let bodiesWithoutJob = """
    SELECT DISTINCT id >> 15, 'a body is there, and no job'
    FROM bodies WHERE id > ?1 AND id <= ?2
      AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = bodies.id >> 15)
      AND NOT EXISTS (SELECT 1 FROM uploads WHERE uploads.id = bodies.id >> 15)
    """

  private static let attemptsWithoutJob = """
    SELECT DISTINCT id >> 15, 'an attempt is there, and no job'
    FROM attempts WHERE id > ?1 AND id <= ?2
      AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = attempts.id >> 15)
    """

  private static let scoresWithoutJob = """
    SELECT DISTINCT id >> 15, 'partial scores are there, and no job that has not ended'
    FROM partial_scores WHERE id > ?1 AND id <= ?2
      AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = partial_scores.id >> 15 AND state <= 3)
    """

  private static let uploadsOfJobs = """
    SELECT id, 'it is there, and its body still counts as being uploaded'
    FROM uploads WHERE id > ?1 AND id <= ?2
      AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = uploads.id)
    """
}
