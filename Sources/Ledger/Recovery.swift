import GRDB
import RerankdProtocol

extension LedgerWriter {
  /// Reads what the queue starts from, sweeps bodies that never became jobs, and counts the epoch
  /// up. All of it is durable when this returns.
  ///
  /// - Throws: ``LedgerError`` `.shard` when the file belongs to another shard.
  func recover() throws(LedgerError) -> RecoveredLedger {
    var recovered = RecoveredLedger(
      epoch: 0, nextSequence: 1, liveJobs: [], pendingDeliveries: [])
    var stored: [String: StoredJobs.Count] = [:]
    try inTransaction { statements throws(LedgerError) in
      try run("INSERT OR IGNORE INTO meta VALUES (1, ?, 0, 1)", Int64(shard))
      let owner = try number("SELECT shard FROM meta")
      guard owner == Int64(shard) else {
        throw LedgerError(
          .shard,
          "\(queue.path) belongs to shard \(owner), not \(shard): give each shard a file "
            + "of its own")
      }
      let next = try number(LedgerSchema.nextSequence)
      try run("UPDATE meta SET epoch = epoch + 1, sequence_floor = ?", next)
      recovered.epoch = UInt64(try number("SELECT epoch FROM meta"))
      recovered.nextSequence = UInt64(next)

      for sequence in try numbers("SELECT id FROM uploads") { try statements.dropUpload(sequence) }

      let open = try prepare(
        """
        SELECT \(JobColumns.all) FROM jobs WHERE state <= 3 OR delivery_state = 1 ORDER BY id
        """)
      while try open.step() {
        let (job, delivery) = open.job(shard: shard)
        if job.state.isLive {
          recovered.liveJobs.append(job)
        } else if let delivery {
          recovered.pendingDeliveries.append((delivery, job))
        }
      }
      let settings = try prepare("SELECT name, value FROM settings")
      while try settings.step() {
        recovered.settings[settings.text(0) ?? ""] = settings.text(1)
      }
      for key in try numbers("SELECT id FROM partial_scores") {
        let id = JobID(shard: shard, sequence: UInt64(RowKey.sequence(key)))
        recovered.partialScores[id] = RowKey.ordinal(key)
      }
      let tenants = try prepare("SELECT name, jobs, bytes FROM tenants")
      while try tenants.step() {
        stored[tenants.text(0) ?? ""] = StoredJobs.Count(
          jobs: Int(tenants.int(1)), bytes: tenants.int(2))
      }
    }
    begin(stored: stored, liveJobs: recovered.liveJobs.count)
    return recovered
  }

  private func prepare(_ sql: String) throws(LedgerError) -> Statement {
    let result = queue.unsafeReentrantWrite { database -> Result<Statement, LedgerError> in
      Result { () throws(LedgerError) in try Statement(database, sql) }
    }
    return try result.get()
  }

  private func run(_ sql: String, _ value: Int64) throws(LedgerError) {
    let statement = try prepare(sql)
    statement.bind(1, value)
    try statement.run()
  }

  /// The first column of the only row; 0 for NULL.
  private func number(_ sql: String) throws(LedgerError) -> Int64 {
    try numbers(sql).first ?? 0
  }

  private func numbers(_ sql: String) throws(LedgerError) -> [Int64] {
    let statement = try prepare(sql)
    var values: [Int64] = []
    while try statement.step() { values.append(statement.int(0)) }
    return values
  }
}
