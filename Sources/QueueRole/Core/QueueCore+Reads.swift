import AccessKeys
import Ledger
import RerankdProtocol
import SwiftProtobuf

/// Jobs that ended are asked of the ledger, and its answers find their way back here.
extension QueueCore {
  /// - Parameter call: the call that waits for the answer and may end before it; nil where the read
  ///   is not one call's.
  func read(_ read: LedgerRead, for purpose: PendingRead, call: CallRef? = nil) {
    let ticket = ReadTicket(rawValue: nextTicket)
    nextTicket += 1
    reads[ticket] = purpose
    if let call { calls[call] = .read(ticket) }
    effects.append(.read(ticket, read))
  }

  func take(_ ticket: ReadTicket, _ result: LedgerReadResult) {
    guard let purpose = reads.removeValue(forKey: ticket) else { return }
    switch purpose {
    case .key(let lookup): take(lookup, result)
    case .retry(let batch, let index, let id):
      defer { effects.append(.write(.spareJob(id, false))) }
      if endChange(of: id, ticket) {
        settle(batch, index, retry: id, result)
      } else {
        settle(batch, index) { $0.error = changedMeanwhile(id).status }
      }
    case .action(let kind, let batch, let index, let id):
      if endChange(of: id, ticket) {
        settle(batch, index, kind, id, result)
      } else {
        settle(batch, index) { $0.error = changedMeanwhile(id).status }
      }
    case .job(let call, let id, let wanted, let tenants):
      guard close(call, ticket) else { return }
      // The job that a Rerank found ended may have been brought back meanwhile.
      if case .outcome = wanted, let id, let job = jobs[id] { return wait(call, for: job) }
      switch result {
      case .job(let stored?) where wanted != .details && !stored.record.state.state.isTerminal:
        if let id, wanted == .cancelled, jobs[id] != nil { return cancel(call, id, of: tenants) }
        effects.append(.fail(call, unreadable("the job was brought back while it was read")))
      case .job(let stored?) where tenants.contains(stored.record.tenant):
        effects.append(.answer(call, answer(wanted, stored)))
      // Of another tenant: as if it were not there.
      case .job: effects.append(.fail(call, id.map(unknownJob) ?? unknownKey))
      case .failed(let message): effects.append(.fail(call, unreadable(message)))
      default: effects.append(.fail(call, unreadable("it answered something else")))
      }
    // Its answer comes by another input.
    case .task: break
    case .list(let call, let limit):
      guard close(call, ticket) else { return }
      switch result {
      case .list(let stored): effects.append(.answer(call, page(stored, limit: limit)))
      case .failed(let message): effects.append(.fail(call, unreadable(message)))
      default: effects.append(.fail(call, unreadable("it answered something else")))
      }
    }
  }

  private func answer(_ wanted: PendingRead.JobAnswer, _ stored: StoredJob) -> any Message
    & Sendable
  {
    switch wanted {
    case .details: return details(of: stored)
    case .outcome: return JobOutcome(stored.record, result: stored.result ?? [])
    case .cancelled:
      var response = CancelResponse()
      response.state = stored.record.state.state
      return response
    }
  }

  /// Whether the call still waits for this read: a call number may be used again after its end.
  func close(_ call: CallRef, _ ticket: ReadTicket) -> Bool {
    guard case .read(ticket) = calls[call] else { return false }
    calls[call] = nil
    return true
  }

  private var unknownKey: CallError {
    CallError(.notFound, "there is no job with this idempotency key", reason: "JOB_UNKNOWN")
  }
}

extension QueueCore {
  func get(
    _ call: CallRef, _ selector: JobSelector, withRequest: Bool, withAttempts: Bool,
    of tenants: TenantScope
  ) {
    let id: JobID
    switch selector {
    case .id(let chosen):
      guard chosen.shard == shard else { return effects.append(.fail(call, unknownJob(chosen))) }
      id = chosen
    case .key(let tenant, let key):
      guard let live = jobsByKey[TenantName(tenant: tenant, name: key)] else {
        return read(
          .jobByKey(
            tenant: tenant, key: key, withRequest: withRequest, withAttempts: withAttempts),
          for: .job(call, nil, .details, of: tenants), call: call)
      }
      id = live
    }
    if let job = jobs[id], !tenants.contains(job.record.tenant) {
      effects.append(.fail(call, unknownJob(id)))
    } else if let job = jobs[id], !withRequest, !withAttempts {
      effects.append(.answer(call, details(of: StoredJob(record: job.record))))
    } else {
      read(
        .job(id, withRequest: withRequest, withAttempts: withAttempts),
        for: .job(call, id, .details, of: tenants), call: call)
    }
  }

  func cancel(_ call: CallRef, _ id: JobID, of tenants: TenantScope) {
    if let job = jobs[id] {
      guard tenants.contains(job.record.tenant) else {
        return effects.append(.fail(call, unknownJob(id)))
      }
      abandon(job, .cancelled, code: .cancelled, message: "cancelled by a call")
      var response = CancelResponse()
      response.state = .cancelled
      effects.append(.answer(call, response))
    } else if id.shard == shard {
      read(
        .job(id, withRequest: false, withAttempts: false),
        for: .job(call, id, .cancelled, of: tenants), call: call)
    } else {
      effects.append(.fail(call, unknownJob(id)))
    }
  }

  func listJobs(_ call: CallRef, _ filter: JobFilter, _ ages: JobAges) {
    var filter = filter
    filter.submittedToMs = ages.olderThanMs.map { wallMs - $0 }
    filter.submittedFromMs = ages.newerThanMs.map { wallMs - $0 }
    read(.list(filter), for: .list(call, limit: filter.limit), call: call)
  }

  private func page(_ stored: [StoredJob], limit: Int) -> ListJobsResponse {
    var response = ListJobsResponse()
    response.jobs = stored.map(details)
    if stored.count >= limit, let last = stored.last {
      response.nextBeforeJobID = last.record.id.rawValue
    }
    return response
  }

  /// A job that is in memory has its times from here, where they do not depend on the wall clock.
  func details(of stored: StoredJob) -> JobDetails {
    var details = JobDetails(stored)
    if case .delayed(let untilMs) = jobs[stored.record.id]?.phase {
      details.readyInMs = UInt64(max(untilMs - nowMs, 0))
    } else if stored.record.state.state == .delayed {
      details.readyInMs = UInt64(max(stored.record.state.readyAtMs - wallMs, 0))
    }
    return details
  }
}
