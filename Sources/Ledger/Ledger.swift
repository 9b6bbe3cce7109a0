import Foundation

/// The SQLite file that remembers every job, and the threads that work on it.
///
/// **Writing.** The queue's loop hands over batches of writes. One thread owns the only writing
/// connection; it takes all the batches that came while its last commit ran and makes one
/// transaction of them (group commit: under load one sync carries hundreds of jobs, and no timer is
/// needed). In the transaction several changes of one job fold into one. When it is on disk (WAL,
/// `synchronous=FULL`) each batch is reported, in order. Every change says in SQL what it may
/// change from: terminal states are final, but for a retry of a job that did not succeed, and
/// attempts only count up.
///
/// **Failing.** If a commit fails, nothing of it is reported and nothing is tried again: what the
/// disk holds is no longer known. The failure handler ends the process, and the next start recovers
/// from the file. A write that contradicts what is recorded is treated the same way, since then the
/// queue's memory and its ledger tell different stories. Only a late write for a job that retention
/// has removed meanwhile is dropped, and counted.
///
/// **Reading.** A second thread answers reads from a read-only connection, each from a snapshot
/// that is at most a second old, after the batch that carried the read is durable: a read sees
/// every write before it.
///
/// **Keeping.** A job is one row in `jobs`, with its state and the state of its delivery. Its body
/// lies in `bodies`, in chunks, and its result in the row of the attempt that succeeded; neither is
/// ever rewritten. Retention removes ended jobs by age, number and size, in slices that ride on
/// commits; by number and size it takes from the tenants that have the most.
/// Never removed are jobs that have not ended, results not acknowledged, and jobs with a key, each
/// of these before its stated age.
///
/// **Looking after it.** Backups, checks and statistics run beside the commits, each on a thread
/// and a read-only connection of its own (``perform(_:onEnd:)``). A backup is one snapshot, an
/// integrity check too; all else reads in slices of less than a second. While a snapshot lasts the
/// WAL cannot begin anew, so beyond a ceiling the work is given up. Files that no queue has open
/// are checked (``check(file:)``), counted (``statistics(ofFile:)``) and restored
/// (``restore(from:to:replacing:)``) without a ledger being opened.
///
/// **The file.** One process at a time, by a lock on `PATH.lock` taken before the file is opened;
/// modes 0600. Nothing else may open it meanwhile: two connections that checkpoint can damage a WAL
/// under SQLite versions before 3.51.3.
public final class Ledger: Sendable {
  private let file: LedgerFile
  private let commits: CommitThread
  private let tasks: LedgerTasks
  let longSnapshots: LongSnapshots
  private let freeBytesReserve: UInt64

  /// Opens the ledger, or makes it, and starts its threads.
  ///
  /// - Parameters:
  ///   - shard: whose jobs these are; a ledger belongs to the shard that made it.
  ///   - wallMs: the time, in milliseconds since 1970. Ages are counted from it; what passes after
  ///     is measured on a monotonic clock.
  ///   - onFailure: called once, on the ledger's thread, when nothing can be made durable any more.
  ///     It is meant not to return; if it does, the ledger takes batches and reports none.
  /// - Throws: ``LedgerError``: bad limits, a ledger that is held by another process, is another
  ///   shard's, comes from a newer version, is damaged, or cannot be kept private.
  public static func open(
    _ configuration: LedgerConfiguration, shard: UInt16, wallMs: Int64,
    onFailure: @escaping @Sendable (LedgerError) -> Void = Ledger.exitOnFailure
  ) throws(LedgerError) -> (Ledger, RecoveredLedger) {
    try configuration.validate()
    let file = try LedgerFile(locking: configuration.path)
    do throws(LedgerError) {
      let writer = try LedgerWriter(path: file.path, shard: shard, configuration: configuration)
      let recovered = try writer.recover()
      let reader = try LedgerReader(path: file.path, shard: shard, configuration: configuration)
      try file.checkModes()
      let reads = ReaderThread(reader, readsQueuedMax: configuration.readsQueuedMax)
      let clock = LedgerClock(wallMs: wallMs)
      let snapshots = LongSnapshots()
      let commits = CommitThread(
        writer, reader: reads, configuration: configuration, clock: clock, snapshots: snapshots,
        onFailure: onFailure)
      let tasks = LedgerTasks(
        path: file.path, shard: shard, configuration: configuration, clock: clock,
        snapshots: snapshots)
      let ledger = Ledger(
        file: file, commits: commits, tasks: tasks, longSnapshots: snapshots,
        freeBytesReserve: configuration.freeBytesReserve)
      return (ledger, recovered)
    } catch {
      file.unlock()
      throw error
    }
  }

  private init(
    file: LedgerFile, commits: CommitThread, tasks: LedgerTasks, longSnapshots: LongSnapshots,
    freeBytesReserve: UInt64
  ) {
    self.file = file
    self.commits = commits
    self.tasks = tasks
    self.longSnapshots = longSnapshots
    self.freeBytesReserve = freeBytesReserve
  }

  deinit {
    close()
  }

  /// Hands over a batch. Batches become durable in the order of their handing over; call it from
  /// one thread. It blocks only while ``LedgerConfiguration/batchesQueuedMax`` batches are waiting.
  ///
  /// - Parameters:
  ///   - onDurable: called on the ledger's thread when the batch is on disk, and never if that
  ///     failed.
  ///   - onRead: called for each read, after `onDurable`; on the reader's thread, or, when too many
  ///     reads wait, on the ledger's.
  public func commit(
    _ batch: LedgerBatch, onDurable: @escaping @Sendable () -> Void,
    onRead: @escaping @Sendable (UInt64, LedgerReadResult) -> Void
  ) {
    commits.enqueue(CommitThread.Batch(content: batch, onDurable: onDurable, onRead: onRead))
  }

  /// Whether there is more free space than the reserve, and no commit has failed.
  public var acceptsSubmits: Bool { !commits.figures.hasFailed && hasSpace(file.freeBytes) }

  /// Tenants of whom as many jobs are kept, or bytes of them, as may be.
  public var fullTenants: Set<String> { commits.figures.fullTenants }

  private func hasSpace(_ freeBytes: UInt64) -> Bool { freeBytes >= freeBytesReserve }

  public func status() -> LedgerStatusSnapshot {
    let figures = commits.figures
    let percentiles = figures.durations.percentiles([0.5, 0.99])
    let freeBytes = file.freeBytes
    return LedgerStatusSnapshot(
      fileBytes: file.fileBytes, walBytes: file.walBytes, commits: figures.durations.commits,
      commitP50Microseconds: percentiles[0], commitP99Microseconds: percentiles[1],
      freeBytes: freeBytes, acceptsSubmits: !figures.hasFailed && hasSpace(freeBytes),
      writesToRemovedJobs: UInt64(figures.writesToRemovedJobs))
  }

  /// Begins long work beside the commits, on a thread of its own. One task of a kind runs at a
  /// time; a second is refused with `.busy`.
  /// - Parameter onEnd: called once, on that thread, or on the caller's for a task that is refused.
  public func perform(
    _ task: LedgerTask, onEnd: @escaping @Sendable (LedgerTaskResult) -> Void
  ) {
    tasks.perform(task, onEnd: onEnd)
  }

  /// Gives up tasks, finishes what was handed over, checkpoints, ends all threads and gives the
  /// file free. Not from a callback of the ledger's own. Closing twice is harmless.
  public func close() {
    tasks.stop()
    commits.stop()
    file.unlock()
  }

  /// What SQLite finds wrong with the file; empty when nothing is. It reads all of the file, on the
  /// caller's thread and from one snapshot, which keeps the WAL growing for as long.
  public func integrityCheck() throws(LedgerError) -> [String] {
    let read = try LongRead(path: file.path)
    defer { read.close() }
    return try LedgerCheck.integrityProblems(read)
  }

  /// Says on standard error what failed, and ends the process with 74 (EX_IOERR) without running
  /// anything more of it.
  @Sendable
  public static func exitOnFailure(_ error: LedgerError) {
    try? FileHandle.standardError.write(contentsOf: Data("rerankd: \(error)\n".utf8))
    _exit(74)
  }
}

/// Writes in order, and reads that see all of them.
public struct LedgerBatch: Sendable {
  public var writes: [LedgerWrite]
  /// Each with the ticket that its answer will carry.
  public var reads: [(UInt64, LedgerRead)]

  public init(writes: [LedgerWrite] = [], reads: [(UInt64, LedgerRead)] = []) {
    self.writes = writes
    self.reads = reads
  }
}
