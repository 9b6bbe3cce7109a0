import Foundation
import RerankdClient
import RerankdProtocol

/// Jobs as the tests submit them.
extension RerankJob {
  static func make(
    query: String = "what is the capital of France?",
    documents: [String] = ["Paris is its capital.", "Bread is made of flour."],
    model: String = "builtin", key: String = "", channel: String = "",
    change: (inout RerankJob) -> Void = { _ in }
  ) throws -> RerankJob {
    var job = try RerankJob(RerankRequest(query: query, documents: documents), model: model)
    job.spec.idempotencyKey = key
    job.spec.replyChannel = channel
    change(&job)
    return job
  }

  /// Keeps a worker's only lane busy for minutes if nobody ends it: longer than any test lasts.
  static func long(key: String = "") throws -> RerankJob {
    let text = String(repeating: "glaciers deform under their own weight ", count: 60)
    return try make(documents: (0..<20_000).map { "\($0) \(text)" }, key: key)
  }
}

extension JobOutcome {
  /// The positions of the documents, best first.
  var ranking: [UInt32] {
    get throws { try rankedResult().results.map(\.index) }
  }
}

extension SubmitOutcome {
  var id: JobID { JobID(rawValue: jobID) }
}

extension JobState {
  var isTerminal: Bool {
    switch self {
    case .succeeded, .dead, .cancelled, .expired: true
    default: false
    }
  }
}

/// What a soak may change from outside.
enum TestSettings {
  /// `RERANKD_SEED`, or a new one at each run.
  static let seed = number("RERANKD_SEED") ?? UInt64.random(in: 0...UInt64.max)
  /// `RERANKD_KILLS`: how many processes are killed; nil leaves it to the test.
  static let kills = number("RERANKD_KILLS").map { Int(clamping: $0) }

  private static func number(_ variable: String) -> UInt64? {
    ProcessInfo.processInfo.environment[variable].flatMap { UInt64($0) }
  }
}
