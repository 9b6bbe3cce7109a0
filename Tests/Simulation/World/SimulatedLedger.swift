import GRDB
import RerankdProtocol

@testable import Ledger

/// The ledger without its two threads: its writer, reader, transactions, recovery and retention as
/// they are, on a simulated disk, each step when the world says so and at the world's time.
///
/// What is left out, the threads and the file lock, is a queue of batches in front of `commit`.
final class SimulatedLedger {
  let recovered: RecoveredLedger
  private let writer: LedgerWriter
  private let reader: LedgerReader
  private let configuration: LedgerConfiguration

  /// Recovers what the disk holds.
  init(_ disk: SimulatedDisk, _ configuration: LedgerConfiguration) throws {
    self.configuration = configuration
    writer = try LedgerWriter(path: disk.ledgerPath, shard: 0, configuration: configuration)
    do {
      recovered = try writer.recover()
      reader = try LedgerReader(path: disk.ledgerPath, shard: 0, configuration: configuration)
    } catch {
      disk.kill()
      try? writer.close()
      throw error
    }
  }

  /// As `CommitThread` does it with one batch.
  func commit(_ writes: [LedgerWrite], nowMs: Int64) throws {
    var transaction = LedgerTransaction(shard: 0)
    for write in writes {
      try transaction.add(write)
      if transaction.bytes >= configuration.batchBytesMax, write.permitsSplit {
        try writer.commit(transaction, nowMs: nowMs)
        transaction = LedgerTransaction(shard: 0)
      }
    }
    if transaction.bytes > 0 { try writer.commit(transaction, nowMs: nowMs) }
  }

  var fullTenants: Set<String> { writer.stored.fullTenants }

  func read(_ read: LedgerRead) -> LedgerReadResult { reader.answer(read) }

  func checkpoint(truncating: Bool) throws { _ = try writer.checkpoint(truncating: truncating) }

  /// What an idle ledger does about retention.
  func retain(nowMs: Int64, startingSweep: Bool) throws {
    if startingSweep { writer.startSweep() }
    if writer.retention.hasMore { try writer.removeSlice(nowMs: nowMs) }
  }

  /// After the process's death, when neither can reach the disk any more.
  func abandon() {
    try? reader.close()
    try? writer.close()
  }

  /// All of it, as it lies in the tables.
  func image() throws -> LedgerImage {
    try writer.queue.writeWithoutTransaction { try LedgerImage($0) }
  }

  func integrityProblems() throws -> [String] {
    try writer.queue.writeWithoutTransaction { database in
      let lines = try String.fetchAll(database, sql: "PRAGMA integrity_check")
      return lines == ["ok"] ? try String.fetchAll(database, sql: LedgerCheck.tenants) : lines
    }
  }
}
