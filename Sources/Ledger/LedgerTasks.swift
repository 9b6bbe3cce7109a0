import Dispatch
import Foundation
import Synchronization

/// Runs long work beside the commits: one thread for each task, and one task of each kind at a
/// time.
final class LedgerTasks: Sendable {
  private struct State {
    var running: Set<LedgerTask.Kind> = []
    var isStopped = false
  }

  private let path: String
  private let shard: UInt16
  private let configuration: LedgerConfiguration
  private let clock: LedgerClock
  private let snapshots: LongSnapshots
  private let state = Mutex(State())
  private let stopFlag = StopFlag()
  private let ended = DispatchGroup()

  init(
    path: String, shard: UInt16, configuration: LedgerConfiguration, clock: LedgerClock,
    snapshots: LongSnapshots
  ) {
    self.path = path
    self.shard = shard
    self.configuration = configuration
    self.clock = clock
    self.snapshots = snapshots
  }

  func perform(_ task: LedgerTask, onEnd: @escaping @Sendable (LedgerTaskResult) -> Void) {
    let refusal = state.withLock { state -> LedgerError? in
      if state.isStopped { return LedgerError(.stopped, "the ledger is closed") }
      guard state.running.insert(task.kind).inserted else {
        return LedgerError(.busy, "\(task.noun) is under way already; wait for its end")
      }
      ended.enter()
      return nil
    }
    if let refusal { return onEnd(.failed(task.kind, refusal)) }
    let thread = Thread { [self] in
      let result: LedgerTaskResult
      do throws(LedgerError) {
        result = try run(task)
      } catch {
        result = .failed(task.kind, error)
      }
      state.withLock { _ = $0.running.remove(task.kind) }
      onEnd(result)
      ended.leave()
    }
    thread.name = "ledger.task"
    thread.start()
  }

  /// Gives up what runs, and returns when it has ended.
  func stop() {
    state.withLock { $0.isStopped = true }
    stopFlag.set()
    ended.wait()
  }

  private func run(_ task: LedgerTask) throws(LedgerError) -> LedgerTaskResult {
    switch task {
    case .backUp(let name, let count): return .backedUp(try backUp(name: name, keeping: count))
    case .check:
      return .checked(
        try read { read throws(LedgerError) in
          try LedgerCheck.report(read, sliceRows: configuration.checkSliceRows)
        })
    case .statistics:
      return .counted(
        try read { read throws(LedgerError) in try LedgerStatistics(read) })
    }
  }

  private func backUp(name: String?, keeping count: Int?) throws(LedgerError) -> LedgerBackup {
    guard let folderPath = configuration.backup.folder else {
      throw LedgerError(
        .configuration, "there is no folder for backups: name one, as queue.ledger.backup.folder")
    }
    let folder = BackupFolder(path: folderPath, shard: shard)
    let path =
      try name.map { name throws(LedgerError) in try folder.file(named: name) }
      ?? folder.file(atMs: clock.nowMs)
    try folder.prepare(bytes: LedgerFile.size(self.path) + configuration.freeBytesReserve)
    let start = DispatchTime.now().uptimeNanoseconds
    let (bytes, jobs) = try read { read throws(LedgerError) in
      try BackupFile.write(read, to: path)
    }
    let nanoseconds = DispatchTime.now().uptimeNanoseconds - start
    if let count { try folder.prune(keeping: count) }
    return LedgerBackup(
      path: path, bytes: bytes, durationMs: nanoseconds / 1_000_000, jobs: jobs)
  }

  private func read<Value>(
    _ body: (LongRead) throws(LedgerError) -> Value
  ) throws(LedgerError) -> Value {
    let read = try LongRead(
      path: path, walBytesMax: UInt64(configuration.backup.walBytesMax), snapshots: snapshots,
      stop: stopFlag)
    defer { read.close() }
    return try body(read)
  }
}

extension LedgerTask {
  fileprivate var noun: String {
    switch self {
    case .backUp: "a backup"
    case .check: "a check of the ledger"
    case .statistics: "a count of the ledger"
    }
  }
}
