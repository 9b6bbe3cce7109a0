public import RerankdProtocol

/// Long work on the ledger of a running queue, beside its commits: see
/// ``Ledger/perform(_:onEnd:)``.
public enum LedgerTask: Sendable, Equatable {
  /// - Parameters:
  ///   - name: a file name in the backup folder; nil takes one with shard and time in it.
  ///   - keeping: so many of the newest backups with names of that kind stay, this one included;
  ///     nil: all of them.
  case backUp(name: String?, keeping: Int?)
  case check
  case statistics

  public enum Kind: String, Sendable { case backUp = "backup", check, statistics }

  public var kind: Kind {
    switch self {
    case .backUp: .backUp
    case .check: .check
    case .statistics: .statistics
    }
  }
}

public enum LedgerTaskResult: Sendable {
  case backedUp(LedgerBackup)
  case checked(LedgerCheckReport)
  case counted(LedgerStatistics)
  case failed(LedgerTask.Kind, LedgerError)
}

/// A backup that was written.
public struct LedgerBackup: Sendable, Equatable {
  public var path: String
  public var bytes: UInt64
  public var durationMs: UInt64
  /// The jobs in it.
  public var jobs: UInt64

  public init(path: String, bytes: UInt64, durationMs: UInt64, jobs: UInt64) {
    self.path = path
    self.bytes = bytes
    self.durationMs = durationMs
    self.jobs = jobs
  }
}

/// What a check found.
public struct LedgerCheckReport: Sendable, Equatable {
  /// Empty: the ledger is sound. At most ``problemsMax``.
  public var problems: [String]
  public var jobs: UInt64
  public var durationMs: UInt64

  public static var problemsMax: Int { 100 }

  public init(problems: [String], jobs: UInt64, durationMs: UInt64) {
    self.problems = problems
    self.jobs = jobs
    self.durationMs = durationMs
  }
}

/// What a ledger's file is made of.
public struct LedgerStatistics: Sendable, Equatable {
  public struct Table: Sendable, Equatable {
    public var name: String
    public var rows: UInt64
    /// Of its pages and those of its indexes.
    public var bytes: UInt64

    public init(name: String, rows: UInt64, bytes: UInt64) {
      self.name = name
      self.rows = rows
      self.bytes = bytes
    }
  }

  public struct StateCount: Sendable, Equatable {
    public var state: JobState
    public var jobs: UInt64

    public init(state: JobState, jobs: UInt64) {
      self.state = state
      self.jobs = jobs
    }
  }

  /// Largest first.
  public var tables: [Table]
  public var states: [StateCount]
  /// When the oldest job in it was submitted, milliseconds since 1970; nil: there is none.
  public var oldestSubmittedMs: Int64?
  /// Pages that deleted rows left free in the file.
  public var freePageBytes: UInt64
  /// How many migrations the file has had.
  public var schemaVersion: Int
  public var fileBytes: UInt64
  public var walBytes: UInt64

  public init(
    tables: [Table] = [], states: [StateCount] = [],
    oldestSubmittedMs: Int64? = nil, freePageBytes: UInt64 = 0, schemaVersion: Int = 0,
    fileBytes: UInt64 = 0, walBytes: UInt64 = 0
  ) {
    self.tables = tables
    self.states = states
    self.oldestSubmittedMs = oldestSubmittedMs
    self.freePageBytes = freePageBytes
    self.schemaVersion = schemaVersion
    self.fileBytes = fileBytes
    self.walBytes = walBytes
  }
}
