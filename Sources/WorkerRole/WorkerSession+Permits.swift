import RerankdProtocol
import Scoring
import SwiftProtobuf

/// Permits: asked for on the stream that is there, void with it.
extension WorkerSession {
  private var isAttached: Bool { if case .attached = connection { true } else { false } }

  mutating func ask(_ permit: PermitBook.Permit) -> [Action] {
    permits.add(permit)
    return isAttached ? [.send(.with { $0.permitRequests = [permit.request] })] : []
  }

  mutating func endPermit(_ id: UInt64, _ end: PermitEnd) -> [Action] {
    guard permits.remove(id) != nil, isAttached else { return [] }
    return [.send(.with { $0.permitReports = [PermitReport(id, end)] })]
  }

  mutating func take(_ grant: PermitGrant, now: Duration) -> [Action] {
    let until = now + .milliseconds(Int64(clamping: grant.validMs))
    return permits.grant(grant.permitID, until: until) ? [.grant(grant.permitID)] : []
  }

  mutating func take(_ refusal: PermitRefusal) -> [Action] {
    guard permits.remove(refusal.permitID) != nil else { return [] }
    let retryAfter = Duration.milliseconds(Int64(clamping: refusal.retryAfterMs))
    return [.refuse(refusal.permitID, retryAfter: retryAfter, reason: refusal.reason)]
  }

  /// Whether a request may be sent now under a permit that was granted; else the permit is given
  /// back, and another has to be asked for.
  mutating func begin(_ id: UInt64, now: Duration) -> (begins: Bool, actions: [Action]) {
    permits.begin(id, now: now) ? (true, []) : (false, endPermit(id, .unused))
  }

  mutating func tellRenewals() -> [Action] {
    guard isAttached, !renewedBackends.isEmpty else { return [] }
    defer { renewedBackends = [] }
    return [.send(.with { $0.renewedCredentials = renewedBackends.sorted() })]
  }
}

extension PermitReport {
  fileprivate init(_ id: UInt64, _ end: WorkerSession.PermitEnd) {
    self.init()
    permitID = id
    switch end {
    case .unused: unused = true
    case .answered: break
    case .unfinished: unfinished = true
    case .failed(let error):
      fault = RerankdProtocol.BackendFault(error.backendFault)
      retryAfterMs = error.retryAfter?.wholeMilliseconds ?? 0
      message = error.message
    }
  }
}

extension RerankdProtocol.BackendFault {
  init(_ fault: Scoring.BackendFault?) {
    self =
      switch fault {
      case nil: .none
      case .credentialsRefused: .credentialsRefused
      case .rateLimited: .rateLimited
      case .unavailable: .unavailable
      }
  }
}
