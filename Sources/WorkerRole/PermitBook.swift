import RerankdProtocol
import SwiftProtobuf

/// The permits that a session has asked for, or has to ask for. Part of `WorkerSession`, and like
/// it without I/O.
///
/// A permit belongs to the stream on which it was asked for. When that is lost the queue takes it
/// back: what still waits is asked for anew, and a request under way goes on without one,
/// unreported.
///
/// Each permit is in one of three states:
/// - waiting → granted, gone (refused, or given up)
/// - granted → running (its request begins in time), waiting (too late, or its stream was lost)
/// - running → gone (the request has ended)
struct PermitBook {
  enum State: Equatable {
    case waiting
    case granted(until: Duration)
    case running
  }

  struct Permit {
    /// Never used again by this worker.
    var id: UInt64
    var backend: String
    var tokens: Int
    /// The job that it is for.
    var lease: LeaseRef
    fileprivate(set) var state = State.waiting

    init(id: UInt64, backend: String, tokens: Int, lease: LeaseRef) {
      self.id = id
      self.backend = backend
      self.tokens = tokens
      self.lease = lease
    }

    var request: PermitRequest {
      .with {
        $0.permitID = id
        $0.backend = backend
        $0.tokens = UInt64(clamping: tokens)
        $0.jobID = lease.jobID
      }
    }
  }

  private var permits: [UInt64: Permit] = [:]
  private(set) var waitingCount = 0

  /// What waits, in the order in which it was asked for.
  var waiting: [Permit] {
    guard waitingCount > 0 else { return [] }
    return permits.values.filter { $0.state == .waiting }.sorted { $0.id < $1.id }
  }

  mutating func add(_ permit: Permit) {
    permits[permit.id] = permit
    waitingCount += 1
  }

  /// - Returns: false for one that nobody waits for any more.
  mutating func grant(_ id: UInt64, until: Duration) -> Bool {
    guard permits[id]?.state == .waiting else { return false }
    permits[id]?.state = .granted(until: until)
    waitingCount -= 1
    return true
  }

  /// Whether the request may be sent now.
  mutating func begin(_ id: UInt64, now: Duration) -> Bool {
    guard case .granted(let until)? = permits[id]?.state, now <= until else { return false }
    permits[id]?.state = .running
    return true
  }

  @discardableResult
  mutating func remove(_ id: UInt64) -> Permit? {
    let permit = permits.removeValue(forKey: id)
    if permit?.state == .waiting { waitingCount -= 1 }
    return permit
  }

  /// The stream is lost, and with it all that was given on it.
  mutating func loseGrants() {
    permits = permits.filter { $0.value.state == .waiting }
  }
}
