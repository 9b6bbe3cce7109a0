/// The ledger's figures at one moment.
public struct LedgerStatusSnapshot: Sendable, Equatable {
  public var fileBytes: UInt64
  public var walBytes: UInt64
  /// Commits since the ledger was opened.
  public var commits: UInt64
  /// Of the latest ``CommitDurations/countMax`` commits; 0 before the first.
  public var commitP50Microseconds: UInt64
  public var commitP99Microseconds: UInt64
  /// What the file's volume still takes.
  public var freeBytes: UInt64
  /// Whether there is room for new jobs. Outcomes are recorded regardless.
  public var acceptsSubmits: Bool
  /// Writes that came for jobs which retention had removed meanwhile, and were dropped.
  public var writesToRemovedJobs: UInt64

  public init(
    fileBytes: UInt64, walBytes: UInt64, commits: UInt64, commitP50Microseconds: UInt64,
    commitP99Microseconds: UInt64, freeBytes: UInt64, acceptsSubmits: Bool,
    writesToRemovedJobs: UInt64
  ) {
    self.fileBytes = fileBytes
    self.walBytes = walBytes
    self.commits = commits
    self.commitP50Microseconds = commitP50Microseconds
    self.commitP99Microseconds = commitP99Microseconds
    self.freeBytes = freeBytes
    self.acceptsSubmits = acceptsSubmits
    self.writesToRemovedJobs = writesToRemovedJobs
  }
}

/// How long the latest commits took.
struct CommitDurations: Sendable {
  static let countMax = 1_024

  private(set) var commits: UInt64 = 0
  private var recent: [UInt32] = []

  mutating func record(microseconds: UInt64) {
    let value = UInt32(clamping: microseconds)
    if recent.count < Self.countMax {
      recent.append(value)
    } else {
      recent[Int(commits % UInt64(Self.countMax))] = value
    }
    commits += 1
  }

  /// Nearest rank: the smallest duration that `fraction` of the recent commits do not exceed.
  func percentiles(_ fractions: [Double]) -> [UInt64] {
    let sorted = recent.sorted()
    return fractions.map { fraction in
      guard !sorted.isEmpty else { return 0 }
      let rank = Int((fraction * Double(sorted.count)).rounded(.up))
      return UInt64(sorted[min(max(rank, 1), sorted.count) - 1])
    }
  }
}
