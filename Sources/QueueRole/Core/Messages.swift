import Foundation
import Ledger
import RerankdProtocol

// How records become the protocol's messages.

extension JobOutcome {
  /// - Parameter result: with SUCCEEDED, the serialized RerankResult.
  init(_ record: JobRecord, result: [UInt8]) {
    self.init()
    jobID = record.id.rawValue
    state = record.state.state
    attempts = record.state.attempt
    tenant = record.tenant
    idempotencyKey = record.idempotencyKey ?? ""
    if state == .succeeded {
      self.result = Data(result)
    } else {
      var status = CallStatus()
      status.code = record.state.endCode
      status.message = record.state.endMessage ?? ""
      error = status
    }
  }
}

extension OutcomeOrder {
  init(_ record: JobRecord) {
    self.init(
      job: record.id, state: record.state.state, errorCode: record.state.endCode,
      errorMessage: record.state.endMessage ?? "", attempts: record.state.attempt,
      tenant: record.tenant, idempotencyKey: record.idempotencyKey)
  }
}

extension JobDetails {
  init(_ stored: StoredJob) {
    self.init()
    let record = stored.record
    jobID = record.id.rawValue
    state = record.state.state
    spec = JobSpec(record)
    attempts = record.state.attempt
    attemptsSpent = record.state.attemptsSpent
    workersLost = record.state.workersLost
    submittedUnixMs = record.submittedMs
    updatedUnixMs = record.state.updatedMs
    requestBytes = record.bodyBytes
    if record.state.state.isTerminal { outcome = JobOutcome(record, result: stored.result ?? []) }
    attemptRecords = stored.attempts.map(AttemptRecord.init)
    request = Data(stored.request ?? [])
    delivery = stored.delivery?.state ?? .none
  }
}

extension JobSpec {
  init(_ record: JobRecord) {
    self.init()
    model = record.model
    tenant = record.tenant
    priority = record.priority
    idempotencyKey = record.idempotencyKey ?? ""
    replyChannel = record.replyChannel ?? ""
    replyTo = record.replyTo ?? ""
    deadlineMs = UInt64(max(record.deadlineAfterMs, 0))
    maxAttempts = record.maxAttempts
    traceparent = record.traceparent ?? ""
    allowFallback = record.allowFallback
  }
}

extension AttemptRecord {
  init(_ row: AttemptRow) {
    self.init()
    attempt = row.attempt
    workerID = row.workerID
    startedUnixMs = row.startedMs
    endedUnixMs = row.endedMs
    code = row.code
    message = row.message
    end = row.end
  }
}

extension ModelInfo {
  init(_ model: CatalogueModel, workers: Int) {
    self.init()
    name = model.name
    contextTokens = model.contextTokens
    reservedTokens = model.reservedTokens
    images = model.images
    engine = model.backend ?? "embedded"
    fallbacks = model.fallbacks
    self.workers = UInt32(workers)
  }
}

extension JobState {
  var isTerminal: Bool {
    switch self {
    case .succeeded, .dead, .cancelled, .expired: true
    default: false
    }
  }
}
