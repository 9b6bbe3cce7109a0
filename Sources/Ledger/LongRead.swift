import GRDB
import GRDBSQLite
import Synchronization

/// How many snapshots there are that may last. While there is one, a checkpoint that waits for
/// readers would hold up commits, and gain nothing.
final class LongSnapshots: Sendable {
  private let count = Atomic(0)

  var areHeld: Bool { count.load(ordering: .relaxed) > 0 }

  func begin() { count.add(1, ordering: .relaxed) }
  func end() { count.subtract(1, ordering: .relaxed) }
}

/// A read-only connection for work that takes longer than the queue's own reads. It belongs to one
/// thread.
///
/// Each of its snapshots keeps the WAL from being begun anew, so the WAL grows by all that is
/// written meanwhile; beyond a ceiling the work is given up.
final class LongRead {
  let path: String
  private let queue: DatabaseQueue
  private let snapshots: LongSnapshots
  private let interrupter: Interrupter

  /// - Parameter walBytesMax: nil: nobody writes meanwhile.
  init(
    path: String, walBytesMax: UInt64? = nil, snapshots: LongSnapshots = LongSnapshots(),
    stop: StopFlag = StopFlag()
  ) throws(LedgerError) {
    self.path = path
    self.snapshots = snapshots
    interrupter = Interrupter(path: path, walBytesMax: walBytesMax ?? .max, stop: stop)
    var options = Configuration()
    options.label = "ledger.long"
    options.readonly = true
    options.busyMode = .timeout(2)
    options.prepareDatabase {
      try $0.execute(sql: "PRAGMA cache_size = -16384; PRAGMA mmap_size = 0")
    }
    do {
      queue = try DatabaseQueue(path: path, configuration: options)
      queue.writeWithoutTransaction { [interrupter] database in
        sqlite3_progress_handler(
          database.sqliteConnection, 200_000,
          { interrupter in
            guard let interrupter else { return 0 }
            return Unmanaged<Interrupter>.fromOpaque(interrupter).takeUnretainedValue()
              .mustStop ? 1 : 0
          }, Unmanaged.passUnretained(interrupter).toOpaque())
      }
    } catch {
      throw LedgerError.wrap(error, doing: "opening \(path)")
    }
  }

  /// One snapshot, from the first read in it to the end of `body`.
  func snapshot<Value>(
    doing action: String, _ body: (Database) throws -> Value
  ) throws(LedgerError) -> Value {
    try interrupter.check()
    snapshots.begin()
    defer { snapshots.end() }
    do {
      return try queue.writeWithoutTransaction { database in
        try database.execute(sql: "BEGIN")
        defer { sqlite3_exec(database.sqliteConnection, "ROLLBACK", nil, nil, nil) }
        return try body(database)
      }
    } catch {
      // What interrupted it says more than that it was interrupted.
      try interrupter.check()
      throw LedgerError.wrap(error, doing: action)
    }
  }

  /// - Throws: ``LedgerError`` when the work is to be given up.
  func checkInterruption() throws(LedgerError) {
    try interrupter.check()
  }

  func close() {
    // A read-only connection has nothing to lose by a failing close.
    try? queue.close()
  }
}

/// Set when the ledger is closed.
final class StopFlag: Sendable {
  private let flag = Atomic(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}

/// Whether a long read must end before its time.
private final class Interrupter: Sendable {
  private let path: String
  private let walBytesMax: UInt64
  private let stop: StopFlag

  init(path: String, walBytesMax: UInt64, stop: StopFlag) {
    self.path = path
    self.walBytesMax = walBytesMax
    self.stop = stop
  }

  var mustStop: Bool { stop.isSet || LedgerFile.size(path + "-wal") > walBytesMax }

  func check() throws(LedgerError) {
    if stop.isSet { throw LedgerError(.stopped, "the ledger is being closed") }
    let bytes = LedgerFile.size(path + "-wal")
    if bytes > walBytesMax {
      throw LedgerError(
        .ceiling,
        "the write-ahead log has grown to \(bytes) bytes meanwhile, and must not grow beyond "
          + "\(walBytesMax): try again when less is submitted, or raise "
          + "queue.ledger.backup.wal_max")
    }
  }
}
