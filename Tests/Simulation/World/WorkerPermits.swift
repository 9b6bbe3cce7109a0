import RerankdProtocol

@testable import QueueRole

/// The permits that a worker has asked for on one stream, and those that it was given.
struct WorkerPermits {
  private var lastID: UInt64 = 0
  private var asked: Set<UInt64> = []
  private var granted: [UInt64] = []

  mutating func take(_ message: QueueMessage, nowMs: Int64) {
    for grant in message.grantedPermits where asked.remove(grant.permitID) != nil {
      granted.append(grant.permitID)
    }
    for refusal in message.refusedPermits { asked.remove(refusal.permitID) }
  }

  /// Asks for jobs that it has, and ends what it was given, in whatever way.
  mutating func add(
    to report: inout WorkReport, for jobs: [JobID], _ draw: inout Draw, isFaulty: Bool,
    nowMs: Int64
  ) {
    let ended = granted.filter { _ in !isFaulty || draw.chance(70) }
    granted.removeAll { ended.contains($0) }
    for id in ended {
      report.permitsEnded.append(
        PermitEnd(
          id: id, isUnused: draw.chance(10), isUnfinished: draw.chance(10),
          fault: isFaulty ? fault(&draw) : .none,
          retryAfterMs: isFaulty && draw.chance(30) ? Int64(draw.pick(3_000)) : nil,
          message: "m"))
    }
    for id in asked.sorted() where isFaulty && draw.chance(5) {
      asked.remove(id)
      report.permitsEnded.append(PermitEnd(id: id, isUnused: true))
    }
    for job in jobs where draw.chance(30) {
      lastID += 1
      asked.insert(lastID)
      report.permitsAsked.append(
        PermitAsk(id: lastID, backend: "hub", tokens: draw.pick(500), job: job))
    }
    if isFaulty, draw.chance(4) { report.renewedCredentials = ["hub"] }
  }

  func fault(_ draw: inout Draw) -> BackendFault {
    switch draw.pick(16) {
    case 0: .credentialsRefused
    case 1: .rateLimited
    case 2..<6: .unavailable
    default: .none
    }
  }
}
