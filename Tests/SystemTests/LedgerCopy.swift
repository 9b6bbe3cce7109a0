import Foundation
import Ledger
import TestSupport

/// The ledger of a queue that has ended, looked at in a copy: the file itself is the next queue's.
enum LedgerCopy {
  /// - Throws: when SQLite finds anything wrong, or the ledger cannot be recovered.
  static func check(_ system: RunningSystem) throws {
    let folder = try TemporaryFolder("copy")
    let copy = folder.path("ledger.sqlite")
    for suffix in ["", "-wal"] {
      let path = system.ledgerPath + suffix
      guard FileManager.default.fileExists(atPath: path) else { continue }
      try FileManager.default.copyItem(atPath: path, toPath: copy + suffix)
    }
    let (ledger, _) = try Ledger.open(
      LedgerConfiguration(path: copy), shard: 0,
      wallMs: Int64(Date().timeIntervalSince1970 * 1_000))
    defer { ledger.close() }
    let problems = try ledger.integrityCheck()
    guard problems.isEmpty else { throw BrokenPromise(problems.joined(separator: "\n")) }
  }
}
