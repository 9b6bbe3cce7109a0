import Dispatch
import Foundation
import Synchronization

/// The thread that owns the writing connection: it takes whatever batches have come while the last
/// commit ran, makes one transaction of them, and reports each once it is on disk. Between commits
/// it checkpoints; when nothing is to be done it lets retention work.
final class CommitThread: Sendable {
  struct Batch: Sendable {
    let content: LedgerBatch
    let onDurable: @Sendable () -> Void
    let onRead: ReaderThread.Answer
  }

  struct Figures: Sendable {
    var durations = CommitDurations()
    var writesToRemovedJobs = 0
    /// Tenants of whom nothing more may be kept.
    var fullTenants: Set<String> = []
    /// Set once, by the failure after which nothing is durable any more.
    var hasFailed = false
  }

  private struct Inbox {
    var batches: [Batch] = []
    var stops = false
  }

  private let configuration: LedgerConfiguration
  private let clock: LedgerClock
  private let reader: ReaderThread
  private let onFailure: @Sendable (LedgerError) -> Void
  private let snapshots: LongSnapshots
  private let inbox = Mutex(Inbox())
  private let figuresBox = Mutex(Figures())
  private let wake = DispatchSemaphore(value: 0)
  private let room = DispatchSemaphore(value: 0)
  private let ended = DispatchGroup()

  /// The writer is used by the new thread alone from here on.
  init(
    _ writer: sending LedgerWriter, reader: ReaderThread, configuration: LedgerConfiguration,
    clock: LedgerClock, snapshots: LongSnapshots,
    onFailure: @escaping @Sendable (LedgerError) -> Void
  ) {
    self.snapshots = snapshots
    self.configuration = configuration
    self.clock = clock
    self.reader = reader
    self.onFailure = onFailure
    for _ in 0..<configuration.batchesQueuedMax { room.signal() }
    noteFullTenants(writer)
    ended.enter()
    let handed = Handed(writer)
    let thread = Thread { [self] in run(handed.value) }
    thread.name = "ledger"
    thread.start()
  }

  var figures: Figures { figuresBox.withLock { $0 } }

  /// Blocks while too many batches wait. After ``stop()`` a batch is dropped, and never reported.
  func enqueue(_ batch: Batch) {
    room.wait()
    let accepted = inbox.withLock { inbox in
      if !inbox.stops { inbox.batches.append(batch) }
      return !inbox.stops
    }
    if accepted { wake.signal() } else { room.signal() }
  }

  /// Commits what was enqueued, ends both threads and closes both connections.
  func stop() {
    inbox.withLock { $0.stops = true }
    wake.signal()
    ended.wait()
  }

  // MARK: On the thread

  private func run(_ writer: LedgerWriter) {
    var loop = Loop(writer: writer, now: clock.nowMs)
    while true {
      _ = wake.wait(timeout: .now() + .milliseconds(waitMs(loop)))
      let (batches, stops) = inbox.withLock { inbox in
        defer { inbox.batches = [] }
        return (inbox.batches, inbox.stops)
      }
      if !figures.hasFailed {
        do throws(LedgerError) {
          try commit(batches, writer)
          try maintain(&loop, isIdle: batches.isEmpty)
        } catch {
          fail(error)
        }
      }
      for _ in batches { room.signal() }
      if stops { break }
    }
    reader.stop()
    do throws(LedgerError) { try writer.close() } catch { fail(error) }
    ended.leave()
  }

  /// Before a batch is reported: whoever hears of its last job knows that it was the last.
  private func noteFullTenants(_ writer: LedgerWriter) {
    figuresBox.withLock { $0.fullTenants = writer.stored.fullTenants }
  }

  private func fail(_ error: LedgerError) {
    figuresBox.withLock { $0.hasFailed = true }
    onFailure(error)
  }

  private func commit(_ batches: [Batch], _ writer: LedgerWriter) throws(LedgerError) {
    var transaction = LedgerTransaction(shard: writer.shard)
    var finished: [Batch] = []
    for batch in batches {
      for write in batch.content.writes {
        try transaction.add(write)
        if transaction.bytes >= configuration.batchBytesMax, write.permitsSplit {
          try commit(&transaction, finishing: &finished, writer)
        }
      }
      finished.append(batch)
      if transaction.bytes >= configuration.batchBytesMax {
        try commit(&transaction, finishing: &finished, writer)
      }
    }
    try commit(&transaction, finishing: &finished, writer)
  }

  private func commit(
    _ transaction: inout LedgerTransaction, finishing batches: inout [Batch],
    _ writer: LedgerWriter
  ) throws(LedgerError) {
    if transaction.bytes > 0 {
      let start = DispatchTime.now().uptimeNanoseconds
      try writer.commit(transaction, nowMs: clock.ageMs)
      let nanoseconds = DispatchTime.now().uptimeNanoseconds - start
      figuresBox.withLock { figures in
        figures.durations.record(microseconds: nanoseconds / 1_000)
        figures.writesToRemovedJobs = writer.writesToRemovedJobs
      }
      noteFullTenants(writer)
      transaction = LedgerTransaction(shard: writer.shard)
    }
    for batch in batches {
      batch.onDurable()
      if !batch.content.reads.isEmpty { reader.enqueue(batch.content.reads, batch.onRead) }
    }
    batches = []
  }
}

extension CommitThread {
  /// What the thread remembers from one round to the next.
  private struct Loop {
    let writer: LedgerWriter
    var sweptMs: Int64
    var checkpointedMs: Int64
    /// Frames in the WAL when a checkpoint last had to leave some.
    var framesLeft = 0
    var hasUncheckpointed = true

    init(writer: LedgerWriter, now: Int64) {
      self.writer = writer
      sweptMs = now
      checkpointedMs = now
    }
  }

  private func waitMs(_ loop: Loop) -> Int {
    if loop.writer.retention.hasMore, !figures.hasFailed { return 0 }
    return Int(
      clamping: min(configuration.retention.intervalMs, configuration.checkpointIntervalMs))
  }

  private func maintain(_ loop: inout Loop, isIdle: Bool) throws(LedgerError) {
    let now = clock.nowMs
    if now - loop.sweptMs >= configuration.retention.intervalMs {
      loop.sweptMs = now
      loop.writer.startSweep()
    }
    if isIdle, loop.writer.retention.hasMore {
      try loop.writer.removeSlice(nowMs: clock.ageMs)
      noteFullTenants(loop.writer)
      loop.hasUncheckpointed = true
    }
    if !isIdle { loop.hasUncheckpointed = true }
    try checkpointIfDue(&loop, now: now, isIdle: isIdle)
  }

  /// The WAL begins anew only after everything in it was copied while no reader held an older
  /// snapshot; one that is in the way costs another round when the WAL has grown by as much again.
  private func checkpointIfDue(_ loop: inout Loop, now: Int64, isIdle: Bool) throws(LedgerError) {
    let frameBytes = 4_096 + 24
    let frames = loop.writer.walFrames
    if frames < loop.framesLeft { loop.framesLeft = 0 }
    let grown = (frames - loop.framesLeft) * frameBytes >= configuration.walCheckpointBytes
    let rested =
      isIdle && loop.hasUncheckpointed
      && now - loop.checkpointedMs >= configuration.checkpointIntervalMs
    guard grown || rested else { return }
    let mustTruncate =
      frames * frameBytes >= configuration.walTruncateBytes && !snapshots.areHeld
    let isComplete = try loop.writer.checkpoint(truncating: mustTruncate)
    loop.checkpointedMs = now
    loop.hasUncheckpointed = !isComplete
    loop.framesLeft = isComplete && mustTruncate ? 0 : frames
  }
}
