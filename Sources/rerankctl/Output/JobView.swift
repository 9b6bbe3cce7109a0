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
  /// Spent ones.
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
  /// In the form that `submit` takes; only where it was asked for.
  var request: JobLineView?

  init(_ details: JobDetails) {
    jobId = JobID(rawValue: details.jobID).description
    state = details.state.word
    model = details.spec.model
    tenant = details.spec.tenant
    priority = details.spec.priority
    idempotencyKey = details.spec.idempotencyKey.nonEmpty
    replyChannel = details.spec.replyChannel.nonEmpty
    attempts = details.attemptsSpent
    maxAttempts = details.spec.maxAttempts
    workersLost = details.workersLost
    submitted = Self.time(details.submittedUnixMs)
    updated = Self.time(details.updatedUnixMs)
    readyInMs = details.readyInMs.nonZero
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
        .init(job.jobId), .init(job.state, JobState(argument: job.state)?.style), .init(job.model),
        .init(job.tenant), "\(job.priority)", "\(job.attempts)/\(job.maxAttempts)",
        .init(Quantity.bytes(job.requestBytes)), .init(job.submitted),
        .init(job.outcome?.error?.description ?? ""),
      ])
    }
    return table
  }

  /// Everything about one job, for people.
  func text(palette: Palette = .plain) -> String {
    var facts: [(String, TextTable.Cell)] = [
      ("job", .init(jobId)), ("state", .init(state, JobState(argument: state)?.style)),
      ("model", .init(model)), ("tenant", .init(tenant)), ("priority", "\(priority)"),
      ("attempts", "\(attempts) of \(maxAttempts) spent"), ("workers lost", "\(workersLost)"),
      ("request", .init(Quantity.bytes(requestBytes))), ("submitted", .init(submitted)),
      ("updated", .init(updated)),
    ]
    if let idempotencyKey { facts.append(("idempotency key", .init(idempotencyKey))) }
    if let replyChannel { facts.append(("reply channel", .init(replyChannel))) }
    if let delivery { facts.append(("delivery", .init(delivery))) }
    if let readyInMs {
      facts.append(("ready in", .init(Quantity.time(microseconds: readyInMs * 1_000))))
    }
    if let error = outcome?.error {
      facts.append(("error", .init("\(error)", .bad)))
    }
    var text = FactSheet(styled: facts).text(palette: palette)
    let width = Printer.terminalWidth
    if let attemptRecords {
      text += "\n" + AttemptView.table(attemptRecords).text(widthMax: width, palette: palette)
    }
    if let outcome, outcome.error == nil {
      text += "\n" + outcome.text(widthMax: width, palette: palette)
    }
    if let request {
      text += "\n" + ((try? Printer.json(request, pretty: true)) ?? "") + "\n"
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
      let style: TextStyle? =
        switch row.end {
        case "\(AttemptEnd.succeeded)": .good
        case "\(AttemptEnd.failed)", "\(AttemptEnd.lost)": .bad
        default: nil
        }
      table.append([
        "\(row.attempt)", .init(row.end, style), .init(row.worker), .init(row.started),
        .init(row.ended), .init(row.code), .init(row.message),
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

  var style: TextStyle? {
    switch self {
    case .delayed: .waiting
    case .leased: .busy
    case .succeeded: .good
    case .dead: .bad
    case .cancelled, .expired: .faint
    case .ready, .unspecified, .UNRECOGNIZED: nil
    }
  }
}

extension String {
  var nonEmpty: String? { isEmpty ? nil : self }
}

extension BinaryInteger {
  /// On the wire, nothing said is zero.
  var nonZero: Self? { self == 0 ? nil : self }
}
