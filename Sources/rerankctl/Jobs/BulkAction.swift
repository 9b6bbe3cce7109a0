import RerankdClient
import RerankdProtocol

/// What is done to many jobs at once.
enum BulkAction: String, Encodable {
  case retry, cancel, purge

  /// The states of jobs that it is meant for, where nobody says which.
  var states: [JobState] {
    switch self {
    // What was cancelled or ran out of time was meant to end; who wants it back says so.
    case .retry: [.dead]
    case .cancel: [.delayed, .ready, .leased]
    case .purge: [.succeeded, .dead, .cancelled, .expired]
    }
  }

  /// The states that it can be done in.
  var possibleStates: [JobState] {
    self == .retry ? [.dead, .cancelled, .expired] : states
  }

  var done: String {
    switch self {
    case .retry: "retried"
    case .cancel: "cancelled"
    case .purge: "purged"
    }
  }
}

/// What became of one job.
struct JobVerdict: Encodable {
  var jobId: String
  /// After it; absent where the job is gone.
  var state: String?
  var error: ErrorView?

  init(_ job: JobID, state: JobState? = nil, error: CallStatus? = nil) {
    jobId = job.description
    self.state = state.flatMap { $0 == .unspecified ? nil : $0.word }
    self.error = error.map(ErrorView.init)
  }

  init(_ action: JobAction) {
    self.init(
      JobID(rawValue: action.jobID), state: action.state,
      error: action.hasError ? action.error : nil)
  }

  static func table(_ verdicts: [JobVerdict], _ action: BulkAction) -> TextTable {
    var table = TextTable([("JOB", .left), ("RESULT", .left)])
    for verdict in verdicts {
      table.append([.init(verdict.jobId), .init(verdict.error, done: action.done)])
    }
    return table
  }
}

/// What became of them all.
struct BulkReport: Encodable {
  var action: BulkAction
  var done = 0
  var failed = 0
  /// The first of them; ``failed`` counts all.
  var failures: [JobVerdict] = []

  static let failuresMax = 1_000

  init(action: BulkAction) {
    self.action = action
  }

  mutating func add(_ verdicts: [JobVerdict]) {
    let failed = verdicts.filter { $0.error != nil }
    done += verdicts.count - failed.count
    self.failed += failed.count
    failures += failed.prefix(Self.failuresMax - failures.count)
  }

  var summary: String {
    "\(Quantity.count(done, "job")) \(action.done)"
      + (failed == 0 ? "" : ", \(Quantity.count(failed)) not")
  }
}

/// What an action would find: before it is asked for, and for --dry-run.
struct BulkSurvey: Encodable {
  var action: BulkAction
  var dryRun = true
  var jobs = 0
  /// Of the jobs that were named, those that it cannot be done to.
  var impossible: [JobVerdict] = []
  var states: [String: Int] = [:]
  var models: [String: Int] = [:]
  var errors: [String: Int] = [:]
  /// The first of them.
  var newest: [JobView] = []

  static let newestMax = 10

  init(action: BulkAction) {
    self.action = action
  }

  mutating func add(_ job: JobDetails) {
    jobs += 1
    states[job.state.word, default: 0] += 1
    models[job.spec.model, default: 0] += 1
    if job.hasOutcome, job.outcome.hasError {
      errors[StatusCode(wire: job.outcome.error.code).description, default: 0] += 1
    }
    if newest.count < Self.newestMax { newest.append(JobView(job)) }
  }

  var counts: String {
    "\(Quantity.count(jobs, "job"))\(listed(states)); models\(listed(models))"
      + (errors.isEmpty ? "" : "; errors\(listed(errors))")
  }

  private func listed(_ counts: [String: Int]) -> String {
    let named = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .map { "\($0.key) \(Quantity.count($0.value))" }
    return named.isEmpty ? " none" : " " + named.joined(separator: ", ")
  }

  func text(widthMax: Int?, palette: Palette) -> String {
    var text = "would \(action.rawValue) \(counts)\n"
    if !impossible.isEmpty {
      text += "\n" + JobVerdict.table(impossible, action).text(widthMax: widthMax, palette: palette)
    }
    guard !newest.isEmpty else { return text }
    text += "\n" + JobView.table(newest).text(widthMax: widthMax, palette: palette)
    let more = jobs - newest.count
    return text + (more > 0 ? "and \(Quantity.count(more)) more\n" : "")
  }
}
