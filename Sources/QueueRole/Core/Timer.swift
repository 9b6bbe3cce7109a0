import RerankdProtocol

/// Something that may have to happen at `dueMs`. A timer is not cancelled: when it fires, the core
/// looks whether its subject still waits for just this moment, and drops it otherwise.
struct Timer: Comparable {
  enum Kind: UInt8 {
    /// Subject: a job.
    case deadline, ready, lease
    /// Subject: the job of a delivery.
    case deliveryLease, deliveryAge
    /// Subject: a backend's index.
    case backendRest, backendGrant
    /// Subject: a model's index.
    case modelUnserved
    /// Subject: a permit's number.
    case permit
    /// Subject: a worker session's number.
    case workerRest
    /// No subject.
    case backup
  }

  var dueMs: Int64
  var subject: UInt64
  var kind: Kind

  static func < (left: Timer, right: Timer) -> Bool {
    if left.dueMs != right.dueMs { return left.dueMs < right.dueMs }
    if left.subject != right.subject { return left.subject < right.subject }
    return left.kind.rawValue < right.kind.rawValue
  }
}
