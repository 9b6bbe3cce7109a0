import GRDB
import GRDBSQLite

/// What goes wrong with a ledger: what it was, where, and what can be done.
public struct LedgerError: Error, Sendable {
  public enum Code: String, Sendable {
    /// A limit or the path makes no sense.
    case configuration
    /// Another process has this ledger open.
    case locked
    /// Others than its owner may read or write the file.
    case permissions
    /// The file was written by a newer version.
    case future
    /// The file belongs to another shard.
    case shard
    /// The volume is full.
    case full
    /// The file is damaged, or is no ledger.
    case corrupt
    /// A write contradicts what is recorded: a defect of the queue, never of its callers.
    case invariant
    /// The like is under way already.
    case busy
    /// Work beside the commits would have let the write-ahead log grow too far.
    case ceiling
    /// The ledger was closed before the work was done.
    case stopped
    /// A file of that name is there, and is not replaced.
    case exists
    /// A backup cannot have that name.
    case name
    /// The operating system refused to read, write or sync.
    case io
  }

  public let code: Code
  public let message: String
  public let underlying: (any Error)?

  init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.underlying = underlying
  }
}

extension LedgerError: CustomStringConvertible {
  public var description: String {
    underlying.map { "ledger: \(message) (\($0))" } ?? "ledger: \(message)"
  }
}

extension LedgerError {
  /// - Parameter result: SQLite's (extended) result code.
  init(sqlite result: Int32, _ detail: String, doing action: String) {
    let code: Code
    let advice: String
    switch result & 0xFF {
    case SQLITE_FULL:
      (code, advice) = (.full, "the volume is full; free some space and start again")
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      (code, advice) = (.corrupt, "the file is damaged or is no ledger; restore it from a backup")
    case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_RANGE:
      (code, advice) = (.invariant, "a write contradicts what is recorded; this is a defect")
    case SQLITE_BUSY, SQLITE_LOCKED:
      (code, advice) = (.locked, "something else has the file open; close it")
    case SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_AUTH:
      (code, advice) = (.permissions, "check that the file and its folder are this user's")
    default:
      (code, advice) = (.io, "check the volume and the system's log")
    }
    self.init(code, "\(action): \(advice) (SQLite \(result): \(detail))")
  }

  /// Any error met while `action` was done, as this module's type.
  static func wrap(_ error: any Error, doing action: String) -> LedgerError {
    switch error {
    case let error as LedgerError: error
    case let error as DatabaseError:
      LedgerError(
        sqlite: error.extendedResultCode.rawValue, error.message ?? "no message", doing: action)
    default: LedgerError(.io, action, underlying: error)
    }
  }
}
