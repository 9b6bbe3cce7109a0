import Dispatch
import GRDB
import GRDBSQLite
import RerankdProtocol

/// A read-only connection. It belongs to one thread: the one that opens it, and then the reader's.
///
/// Each read is one snapshot, given up after ``LedgerConfiguration/readTimeoutMs`` so that it
/// cannot keep the WAL from being checkpointed.
final class LedgerReader {
  private let shard: UInt16
  private let queue: DatabaseQueue
  private let configuration: LedgerConfiguration
  private let deadline = ReadDeadline()
  private var statements: ReaderStatements?

  init(path: String, shard: UInt16, configuration: LedgerConfiguration) throws(LedgerError) {
    self.shard = shard
    self.configuration = configuration
    var options = Configuration()
    options.label = "ledger.reader"
    options.readonly = true
    options.busyMode = .timeout(2)
    options.prepareDatabase {
      try $0.execute(sql: "PRAGMA cache_size = -16384; PRAGMA mmap_size = 0")
    }
    do {
      queue = try DatabaseQueue(path: path, configuration: options)
      statements = try queue.read { try ReaderStatements($0) }
      queue.writeWithoutTransaction { [deadline] database in
        sqlite3_progress_handler(
          database.sqliteConnection, 10_000,
          { deadline in
            guard let deadline else { return 0 }
            return Unmanaged<ReadDeadline>.fromOpaque(deadline).takeUnretainedValue().hasPassed
              ? 1 : 0
          }, Unmanaged.passUnretained(deadline).toOpaque())
      }
    } catch {
      throw LedgerError.wrap(error, doing: "opening \(path) for reading")
    }
  }

  func answer(_ read: LedgerRead) -> LedgerReadResult {
    deadline.set(milliseconds: configuration.readTimeoutMs)
    defer { deadline.clear() }
    do {
      return try queue.read { database in
        guard let statements else { return .failed("the ledger is closed") }
        return try answer(read, statements, database)
      }
    } catch {
      if deadline.hasPassed {
        return .failed(
          "the read took longer than \(configuration.readTimeoutMs) ms: narrow its filter, or ask "
            + "for fewer jobs")
      }
      return .failed(LedgerError.wrap(error, doing: "reading the ledger").message)
    }
  }

  func close() throws(LedgerError) {
    do {
      queue.writeWithoutTransaction { _ in statements = nil }
      try queue.close()
    } catch {
      throw LedgerError.wrap(error, doing: "closing \(queue.path) for reading")
    }
  }

  private func answer(
    _ read: LedgerRead, _ statements: ReaderStatements, _ database: Database
  ) throws -> LedgerReadResult {
    switch read {
    case .job(let id, let withRequest, let withAttempts):
      guard let sequence = sequence(id) else { return .job(nil) }
      statements.jobByID.bind(1, sequence)
      return .job(
        try job(
          statements.jobByID, statements, withRequest: withRequest, withAttempts: withAttempts))
    case .jobByKey(let tenant, let key, let withRequest, let withAttempts):
      statements.jobByKey.bind(1, tenant)
      statements.jobByKey.bind(2, key)
      return .job(
        try job(
          statements.jobByKey, statements, withRequest: withRequest, withAttempts: withAttempts))
    case .body(let id):
      guard let sequence = sequence(id) else { return .body(nil) }
      statements.jobByID.bind(1, sequence)
      guard let record = try one(statements.jobByID, { $0.job(shard: shard).job }) else {
        return .body(nil)
      }
      return .body(try body(of: record, statements))
    case .partialScores(let id):
      guard let sequence = sequence(id) else { return .partialScores(nil) }
      statements.partialScores.bind(1, RowKey.first(sequence))
      statements.partialScores.bind(2, RowKey.last(sequence))
      return .partialScores(try one(statements.partialScores) { $0.bytes(0) } ?? nil)
    case .key(let tenant, let key):
      statements.jobByKey.bind(1, tenant)
      statements.jobByKey.bind(2, key)
      guard let record = try one(statements.jobByKey, { $0.job(shard: shard).job }) else {
        return .key(nil)
      }
      return .key(
        KeyedJob(id: record.id, payloadHash: record.payloadHash ?? [], state: record.state.state))
    case .list(let filter):
      return .list(try list(filter, database))
    }
  }

  private func job(
    _ found: Statement, _ statements: ReaderStatements, withRequest: Bool, withAttempts: Bool
  ) throws(LedgerError) -> StoredJob? {
    guard let (record, delivery) = try one(found, { $0.job(shard: shard) }) else { return nil }
    var job = StoredJob(record: record, delivery: delivery)
    let sequence = Int64(record.id.sequence)
    if record.state.state == .succeeded {
      statements.result.bind(1, RowKey.first(sequence))
      statements.result.bind(2, RowKey.last(sequence))
      job.result = try one(statements.result) { $0.bytes(0) } ?? nil
    }
    if withAttempts {
      statements.attempts.bind(1, RowKey.first(sequence))
      statements.attempts.bind(2, RowKey.last(sequence))
      while try statements.attempts.step() {
        job.attempts.append(statements.attempts.attempt(shard: shard))
      }
    }
    if withRequest { job.request = try body(of: record, statements) }
    return job
  }

  private func body(
    of job: JobRecord, _ statements: ReaderStatements
  ) throws(LedgerError) -> [UInt8] {
    let sequence = Int64(job.id.sequence)
    statements.chunks.bind(1, RowKey.first(sequence))
    statements.chunks.bind(2, RowKey.last(sequence))
    var body: [UInt8] = []
    body.reserveCapacity(Int(clamping: min(job.bodyBytes, 1 << 26)))
    while try statements.chunks.step() { body += statements.chunks.bytes(0) ?? [] }
    guard UInt64(body.count) == job.bodyBytes else {
      throw LedgerError(
        .corrupt, "the body of job \(job.id) has \(body.count) bytes, not \(job.bodyBytes)")
    }
    return body
  }

  private func list(_ filter: JobFilter, _ database: Database) throws(LedgerError) -> [StoredJob] {
    let statement = try Statement(database, Self.listSQL(filter))
    statement.bind(1, filter.before.map { sequence($0) ?? 0 } ?? Int64.max)
    if let tenant = filter.tenant { statement.bind(2, tenant) }
    if let model = filter.model { statement.bind(3, model) }
    statement.bind(4, Int64(min(max(filter.limit, 0), configuration.listRowsMax)))
    if let from = filter.submittedFromMs { statement.bind(5, from) }
    if let to = filter.submittedToMs { statement.bind(6, to) }
    if let part = filter.errorContains { statement.bind(7, part) }
    var jobs: [StoredJob] = []
    while try statement.step() {
      let (record, delivery) = statement.job(shard: shard)
      jobs.append(StoredJob(record: record, delivery: delivery))
    }
    return jobs
  }

  /// Parameters: 1 the id to stay below, 2 the tenant, 3 the model, 4 the limit, 5 and 6 the
  /// earliest and the latest submission, 7 a part of the error's message.
  static func listSQL(_ filter: JobFilter) -> String {
    var conditions = ["id < ?1"]
    let states = Set(filter.states.map(\.rawValue)).sorted()
    if let lowest = states.first, let highest = states.last {
      conditions.append("state IN (\(states.map(String.init).joined(separator: ", ")))")
      // Tells SQLite which partial index holds all of these states.
      if lowest >= JobState.dead.rawValue { conditions.append("state >= 5") }
      if highest <= JobState.leased.rawValue {
        conditions.append("(state <= 3 OR delivery_state = 1)")
      }
    }
    if filter.tenant != nil { conditions.append("tenant = ?2") }
    if filter.model != nil { conditions.append("model = ?3") }
    if filter.submittedFromMs != nil { conditions.append("submitted_ms >= ?5") }
    if filter.submittedToMs != nil { conditions.append("submitted_ms <= ?6") }
    if filter.wantsErrors {
      // Tells SQLite that the index of unsuccessful jobs holds all of them.
      if states.first ?? 0 < JobState.dead.rawValue { conditions.append("state >= 5") }
      if !filter.errorCodes.isEmpty {
        let codes = Set(filter.errorCodes).sorted().map(String.init).joined(separator: ", ")
        conditions.append("end_code IN (\(codes))")
      }
      if filter.errorContains != nil {
        // SQLite's lower() knows ASCII alone.
        conditions.append("instr(lower(end_message), lower(?7)) > 0")
      }
    }
    return """
      SELECT \(JobColumns.all) FROM jobs WHERE \(conditions.joined(separator: " AND "))
      ORDER BY id DESC LIMIT ?4
      """
  }

  private func one<Value>(
    _ statement: Statement, _ read: (Statement) -> Value
  ) throws(LedgerError) -> Value? {
    guard try statement.step() else { return nil }
    defer { statement.reset() }
    return read(statement)
  }

  /// nil for an id of another shard.
  private func sequence(_ id: JobID) -> Int64? {
    id.shard == shard ? Int64(id.sequence) : nil
  }
}

private final class ReaderStatements {
  let jobByID, jobByKey, chunks, attempts, result, partialScores: Statement

  init(_ database: Database) throws(LedgerError) {
    jobByID = try Statement(database, "SELECT \(JobColumns.all) FROM jobs WHERE id = ?")
    jobByKey = try Statement(
      database, "SELECT \(JobColumns.all) FROM jobs WHERE tenant = ? AND idempotency_key = ?")
    chunks = try Statement(
      database, "SELECT chunk FROM bodies WHERE id BETWEEN ? AND ? ORDER BY id")
    attempts = try Statement(
      database,
      """
      SELECT id, worker_id, started_ms, ended_ms, end, code, message FROM attempts
      WHERE id BETWEEN ? AND ? ORDER BY id
      """)
    result = try Statement(
      database,
      """
      SELECT result FROM attempts WHERE id BETWEEN ? AND ? AND end = 1 ORDER BY id DESC LIMIT 1
      """)
    partialScores = try Statement(
      database,
      "SELECT scores FROM partial_scores WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1")
  }
}

/// When the read under way is given up; SQLite asks every few thousand steps.
private final class ReadDeadline {
  private var nanoseconds = UInt64.max

  var hasPassed: Bool { DispatchTime.now().uptimeNanoseconds > nanoseconds }

  func set(milliseconds: Int64) {
    nanoseconds = DispatchTime.now().uptimeNanoseconds + UInt64(milliseconds) * 1_000_000
  }

  func clear() { nanoseconds = .max }
}
