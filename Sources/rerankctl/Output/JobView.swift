import Foundation
import RerankdProtocol

/// A job as it is printed.
struct JobView: Encodable {
  var jobId: String
  var state: String
  var model: String
  var tenant: String
  var priority: Int32
  var idempotencyKey: String?
  var replyChannel: String?
  var attempts: UInt32
  var maxAttempts: UInt32
  var workersLost: UInt32
  var submitted: String
  var updated: String
  var readyInMs: UInt64?
  var requestBytes: UInt64
  var delivery: String?
  var outcome: OutcomeView?
  var attemptRecords: [AttemptView]?

  init(_ details: JobDetails) {
    jobId = JobID(rawValue: details.jobID).description
    state = details.state.word
    model = details.spec.model
    tenant = details.spec.tenant
    priority = details.spec.priority
    idempotencyKey = details.spec.idempotencyKey.nonEmpty
    replyChannel = details.spec.replyChannel.nonEmpty
    attempts = details.attempts
    maxAttempts = details.spec.maxAttempts
    workersLost = details.workersLost
    submitted = Self.time(details.submittedUnixMs)
    updated = Self.time(details.updatedUnixMs)
    readyInMs = details.readyInMs == 0 ? nil : details.readyInMs
    requestBytes = details.requestBytes
    delivery = details.delivery == .none ? nil : "\(details.delivery)"
    outcome = details.hasOutcome ? OutcomeView(details.outcome, documents: []) : nil
    attemptRecords =
      details.attemptRecords.isEmpty ? nil : details.attemptRecords.map(AttemptView.init)
  }

  /// ISO 8601 in UTC, with milliseconds.
  static func time(_ unixMs: Int64) -> String {
    // The format cuts off what is below a millisecond; half of one keeps rounding from taking a
    // whole.
    let date = Date(timeIntervalSince1970: (Double(unixMs) + 0.5) / 1000)
    return date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  static func table(_ jobs: [JobView]) -> TextTable {
    var table = TextTable([
      ("JOB", .left), ("STATE", .left), ("MODEL", .left), ("TENANT", .left), ("PRIO", .right),
      ("TRIES", .right), ("BYTES", .right), ("SUBMITTED", .left), ("ERROR", .left),
    ])
    for job in jobs {
      table.append([
        job.jobId, job.state, job.model, job.tenant, "\(job.priority)",
        "\(job.attempts)/\(job.maxAttempts)", "\(job.requestBytes)", job.submitted,
        job.outcome?.error?.message ?? "",
      ])
    }
    return table
  }

  /// Everything about one job, for people.
  var text: String {
    var lines = [
      ("job", jobId), ("state", state), ("model", model), ("tenant", tenant),
      ("priority", "\(priority)"), ("attempts", "\(attempts) of \(maxAttempts)"),
      ("workers lost", "\(workersLost)"), ("request", "\(requestBytes) bytes"),
      ("submitted", submitted), ("updated", updated),
    ]
    if let idempotencyKey { lines.append(("idempotency key", idempotencyKey)) }
    if let replyChannel { lines.append(("reply channel", replyChannel)) }
    if let delivery { lines.append(("delivery", delivery)) }
    if let readyInMs { lines.append(("ready in", "\(readyInMs) ms")) }
    if let error = outcome?.error { lines.append(("error", "\(error.code): \(error.message)")) }
    let width = lines.map(\.0.count).max() ?? 0
    var text = lines.map { name, value in
      name + String(repeating: " ", count: width - name.count + 2) + value + "\n"
    }
    .joined()
    if let attemptRecords {
      text += "\n" + AttemptView.table(attemptRecords).text(widthMax: Printer.terminalWidth)
    }
    if let outcome, outcome.error == nil {
      text += "\n" + outcome.text(widthMax: Printer.terminalWidth)
    }
    return text
  }
}

struct AttemptView: Encodable {
  var attempt: UInt32
  var end: String
  var worker: String
  var started: String
  var ended: String
  var code: String
  var message: String

  init(_ record: AttemptRecord) {
    attempt = record.attempt
    end = "\(record.end)"
    worker = record.workerID
    started = JobView.time(record.startedUnixMs)
    ended = JobView.time(record.endedUnixMs)
    code = StatusCode(wire: record.code).description
    message = record.message
  }

  static func table(_ attempts: [AttemptView]) -> TextTable {
    var table = TextTable([
      ("ATTEMPT", .right), ("END", .left), ("WORKER", .left), ("STARTED", .left),
      ("ENDED", .left), ("CODE", .left), ("MESSAGE", .left),
    ])
    for row in attempts {
      table.append([
        "\(row.attempt)", row.end, row.worker, row.started, row.ended, row.code, row.message,
      ])
    }
    return table
  }
}

extension JobState {
  /// "ready", "dead": as people write it on the command line.
  var word: String {
    switch self {
    case .unspecified: "unspecified"
    case .delayed: "delayed"
    case .ready: "ready"
    case .leased: "leased"
    case .succeeded: "succeeded"
    case .dead: "dead"
    case .cancelled: "cancelled"
    case .expired: "expired"
    case .UNRECOGNIZED(let number): "state-\(number)"
    }
  }
}

extension String {
  var nonEmpty: String? { isEmpty ? nil : self }
}
