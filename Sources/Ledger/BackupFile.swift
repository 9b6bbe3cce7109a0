import Foundation
import GRDB
import GRDBSQLite

/// A copy of a ledger, whole and at rest: as the ledger was at one moment.
///
/// It is made by SQLite's online backup, page by page, inside one read transaction. `VACUUM INTO`
/// would give a smaller file and take several times the work, for it builds every b-tree anew, and
/// it cannot be watched between pages. A backup without a transaction of its own would begin again
/// with every commit.
enum BackupFile {
  /// Pages of 4 KiB between two looks at whether to go on.
  private static let pagesPerStep: Int32 = 256
  /// What may lie unwritten in the kernel's cache: a commit's sync must not wait for more.
  private static let stepsPerSync = 16

  /// Writes `PATH.part`, makes it durable and then gives it its name. An existing file is never
  /// replaced.
  ///
  /// - Returns: the bytes of the file and the jobs in it.
  /// - Throws: ``LedgerError``; nothing is left behind then.
  static func write(
    _ source: LongRead, to path: String
  ) throws(LedgerError) -> (bytes: UInt64, jobs: UInt64) {
    guard access(path, F_OK) != 0 else { throw exists(path) }
    let part = path + ".part"
    do throws(LedgerError) {
      let jobs = try copy(source, to: part)
      try publish(part, as: path)
      return (LedgerFile.size(path), jobs)
    } catch {
      unlink(part)
      throw error
    }
  }

  /// - Parameter part: a file of an interrupted attempt under this name is removed.
  /// - Returns: the jobs in it.
  static func copy(_ source: LongRead, to part: String) throws(LedgerError) -> UInt64 {
    unlink(part)
    let descriptor = Foundation.open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("\(part) cannot be made") }
    defer { close(descriptor) }
    var options = Configuration()
    options.label = "ledger.backup"
    // The file is of no use before it is whole, so it needs no journal and no syncs of SQLite's.
    options.prepareDatabase {
      try $0.execute(
        sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096")
    }
    let jobs: UInt64
    do {
      let target = try DatabaseQueue(path: part, configuration: options)
      defer { try? target.close() }
      jobs = try source.snapshot(doing: "backing up \(source.path)") { database in
        // The first read, which makes the snapshot.
        let jobs = try Int64.fetchOne(database, sql: "SELECT count(*) FROM jobs") ?? 0
        try target.writeWithoutTransaction {
          try copy(database, source, to: $0, descriptor: descriptor)
        }
        return UInt64(jobs)
      }
    } catch {
      throw LedgerError.wrap(error, doing: "writing \(part)")
    }
    try finish(descriptor, part)
    return jobs
  }

  private static func copy(
    _ database: Database, _ source: LongRead, to target: Database, descriptor: Int32
  ) throws {
    guard
      let backup = sqlite3_backup_init(
        target.sqliteConnection, "main", database.sqliteConnection, "main")
    else {
      throw LedgerError(
        sqlite: sqlite3_errcode(target.sqliteConnection),
        String(cString: sqlite3_errmsg(target.sqliteConnection)), doing: "beginning a backup")
    }
    var steps = 0
    var result = SQLITE_OK
    do {
      while result == SQLITE_OK {
        try source.checkInterruption()
        result = sqlite3_backup_step(backup, pagesPerStep)
        steps += 1
        if steps.isMultiple(of: stepsPerSync) { fdatasync(descriptor) }
      }
    } catch {
      sqlite3_backup_finish(backup)
      throw error
    }
    sqlite3_backup_finish(backup)
    guard result == SQLITE_DONE else {
      throw LedgerError(
        sqlite: result, String(cString: sqlite3_errstr(result)), doing: "backing up")
    }
  }

  /// Says in the header that the file has no write-ahead log (bytes 18 and 19 of SQLite's format: 1
  /// for a rollback journal, 2 for a WAL), so that it can be read where nothing can be written; and
  /// makes it durable.
  private static func finish(_ descriptor: Int32, _ part: String) throws(LedgerError) {
    let versions: [UInt8] = [1, 1]
    guard pwrite(descriptor, versions, 2, 18) == 2, fsync(descriptor) == 0 else {
      throw failure("\(part) cannot be written")
    }
  }

  static func publish(_ part: String, as path: String) throws(LedgerError) {
    // Two steps, since a rename would replace what is there.
    guard link(part, path) == 0 else {
      if errno == EEXIST { throw exists(path) }
      throw failure("\(part) cannot be named \(path)")
    }
    unlink(part)
    try syncFolder(of: path)
  }

  static func syncFolder(of path: String) throws(LedgerError) {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    let descriptor = Foundation.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("\(folder) cannot be opened") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("\(folder) cannot be synced") }
  }

  static func exists(_ path: String) -> LedgerError {
    LedgerError(.exists, "\(path) exists, and no file is replaced: choose another name")
  }

  /// By what the system said last.
  static func failure(_ what: String) -> LedgerError {
    let reason = errno
    let code: LedgerError.Code =
      switch reason {
      case ENOSPC, EDQUOT: .full
      case EACCES, EPERM, EROFS, ENOENT, ENOTDIR: .permissions
      default: .io
      }
    return LedgerError(code, "\(what): \(String(cString: strerror(reason)))")
  }
}
