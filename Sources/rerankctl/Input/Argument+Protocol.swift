public import ArgumentParser
public import RerankdProtocol

extension JobID: ExpressibleByArgument {
  /// "shard-sequence", as every command prints it.
  public init?(argument: String) {
    self.init(argument)
  }
}

/// A policy's word, on the command line and in a job's line.
enum OverBudgetWord: String, ExpressibleByArgument, CaseIterable {
  case reject, truncate, windows

  var policy: OverBudgetPolicy {
    switch self {
    case .reject: .reject
    case .truncate: .truncate
    case .windows: .windows
    }
  }
}

/// As ``OverBudgetWord``.
enum DocumentFailureWord: String, ExpressibleByArgument, CaseIterable {
  case failJob = "fail_job"
  case perDocument = "per_document"

  var policy: DocumentFailurePolicy {
    switch self {
    case .failJob: .failJob
    case .perDocument: .perDocument
    }
  }
}

extension JobState: ExpressibleByArgument {
  /// "ready", "dead" and so on.
  public init?(argument: String) {
    guard
      let state = JobState.allCases.first(where: { $0 != .unspecified && $0.word == argument })
    else { return nil }
    self = state
  }

  public static var allValueStrings: [String] {
    allCases.filter { $0 != .unspecified }.map(\.word)
  }
}
