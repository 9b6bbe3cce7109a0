import Foundation
import GRDB
import RerankdProtocol

/// A ledger that a backup has become.
public struct LedgerRestoration: Sendable, Equatable {
  public var path: String
  /// Where the ledger lies now that was there before.
  public var keptAside: String?
  public var jobs: UInt64
  /// The number that the next job is given, and the epoch that the next queue begins after.
  public var nextSequence: UInt64
  public var epoch: UInt64
}

/// For files that no queue has open. Each refuses a ledger whose queue runs (``LedgerError``
/// `.locked`): ask that queue instead.
extension Ledger {
  /// Whether a ledger or a backup is sound. Reads all of it.
  public static func check(file path: String) throws(LedgerError) -> LedgerCheckReport {
    try reading(path) { read throws(LedgerError) in
      try LedgerCheck.report(read, sliceRows: LedgerConfiguration(path: path).checkSliceRows)
    }
  }

  /// What a ledger or a backup is made of. Reads all of it.
  public static func statistics(ofFile path: String) throws(LedgerError) -> LedgerStatistics {
    try reading(path) { read throws(LedgerError) in try LedgerStatistics(read) }
  }

  /// Makes a ledger of a backup.
  ///
  /// The backup is checked first, then copied beside the ledger and made durable, and takes its
  /// name last: until then nothing has changed. What was there keeps its content under a name with
  /// the time in it.
  ///
  /// The jobs, ids and epochs that were given out after the backup are not in it. None of them is
  /// ever given out again: the next job's number leaps by 2^40, which a queue that takes in a
  /// million jobs a second needs 12 days to use up and one of 30,000 a second more than a year, and
  /// the epoch by 2^32 openings. Of 48 bits of numbers that leaves room for 255 restorations. So a
  /// reply, an acknowledgement or a worker's outcome from the lost time meets no other job than its
  /// own, and no lease of it is in force.
  ///
  /// - Parameters:
  ///   - replacing: whether a ledger may be there already.
  ///   - wallMs: the time, for the name of what is put aside.
  /// - Throws: ``LedgerError``: `.locked` while a queue has the ledger, `.exists`, `.corrupt` for a
  ///   backup that is not sound, `.future` for one of a newer version.
  @discardableResult
  public static func restore(
    from backup: String, to path: String, replacing: Bool = false, wallMs: Int64
  ) throws(LedgerError) -> LedgerRestoration {
    let target = URL(filePath: path).resolvingSymlinksInPath().path
    let source = URL(filePath: backup).resolvingSymlinksInPath().path
    guard source != target else {
      throw LedgerError(.configuration, "\(path) is the ledger itself, and no backup of it")
    }
    let lock = try LedgerFile.lock(target + ".lock")
    defer { Foundation.close(lock) }
    guard chmod(target + ".lock", 0o600) == 0 else {
      throw BackupFile.failure("\(target).lock cannot be made private")
    }
    let isThere = access(target, F_OK) == 0
    guard !isThere || replacing else {
      throw LedgerError(
        .exists,
        "\(path) is there already: restore to another path, or have it replaced (--replace)")
    }
    let part = target + ".restored.part"
    defer { unlink(part) }
    let jobs = try reading(source) { read throws(LedgerError) in
      let report = try LedgerCheck.report(
        read, sliceRows: LedgerConfiguration(path: path).checkSliceRows)
      if let problem = report.problems.first {
        throw LedgerError(
          .corrupt,
          "\(backup) is not sound, and is not restored; problems: \(report.problems.count), the "
            + "first: \(problem)")
      }
      return try BackupFile.copy(read, to: part)
    }
    let (sequence, epoch) = try leap(part)
    let aside = isThere ? try putAside(target, wallMs: wallMs) : nil
    guard rename(part, target) == 0 else {
      throw BackupFile.failure("\(part) cannot be renamed to \(target)")
    }
    try BackupFile.syncFolder(of: target)
    return LedgerRestoration(
      path: target, keptAside: aside, jobs: jobs, nextSequence: sequence, epoch: epoch)
  }

  /// More numbers, and more openings, than a queue can have used up since any backup.
  static let sequenceLeap: Int64 = 1 << 40
  static let epochLeap: Int64 = 1 << 32

  private static func leap(_ part: String) throws(LedgerError) -> (UInt64, UInt64) {
    do {
      let queue = try DatabaseQueue(path: part)
      defer { try? queue.close() }
      let migrator = LedgerSchema.migrator
      guard try !queue.read(migrator.hasBeenSuperseded) else {
        throw LedgerError(
          .future, "the backup was written by a newer version of rerankd: restore it with that one")
      }
      return try queue.writeWithoutTransaction { database in
        try database.execute(sql: "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL")
        let next = try Int64.fetchOne(database, sql: LedgerSchema.nextSequence) ?? 1
        guard next + sequenceLeap <= Int64(JobID.sequenceMax) else {
          throw LedgerError(
            .configuration,
            "the numbers of jobs are used up by too many restorations; give a new ledger another "
              + "shard's number")
        }
        try database.execute(
          sql: "UPDATE meta SET sequence_floor = ?, epoch = epoch + ?",
          arguments: [next + sequenceLeap, epochLeap])
        let epoch = try Int64.fetchOne(database, sql: "SELECT epoch FROM meta") ?? 0
        return (UInt64(next + sequenceLeap), UInt64(epoch))
      }
    } catch {
      throw LedgerError.wrap(error, doing: "restoring to \(part)")
    }
  }

  /// Gives the ledger that is there a second name, under which it stays when the first one is taken
  /// from it.
  private static func putAside(_ path: String, wallMs: Int64) throws(LedgerError) -> String {
    let aside = "\(path).replaced-\(BackupFolder.time(wallMs))"
    guard access(aside, F_OK) != 0, access(aside + "-wal", F_OK) != 0 else {
      throw BackupFile.exists(aside)
    }
    // What a queue that was killed left in the log belongs to the file. A ledger that cannot be
    // opened any more keeps its log beside it.
    if let queue = try? DatabaseQueue(path: path) {
      _ = try? queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
      try? queue.close()
    }
    guard link(path, aside) == 0 else {
      throw BackupFile.failure("\(path) cannot be put aside as \(aside)")
    }
    if LedgerFile.size(path + "-wal") > 0 {
      guard rename(path + "-wal", aside + "-wal") == 0 else {
        throw BackupFile.failure("\(path)-wal cannot be put aside")
      }
    }
    unlink(path + "-shm")
    return aside
  }

  /// With the lock of the ledger held, if it ever was one.
  private static func reading<Value>(
    _ path: String, _ body: (LongRead) throws(LedgerError) -> Value
  ) throws(LedgerError) -> Value {
    let resolved = URL(filePath: path).resolvingSymlinksInPath().path
    guard access(resolved, R_OK) == 0 else { throw BackupFile.failure("\(path) cannot be read") }
    var lock: Int32?
    if access(resolved + ".lock", F_OK) == 0 { lock = try LedgerFile.lock(resolved + ".lock") }
    defer { if let lock { Foundation.close(lock) } }
    let read = try LongRead(path: resolved)
    defer { read.close() }
    return try body(read)
  }
}
