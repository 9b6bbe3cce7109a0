import Ledger
import RerankdProtocol

/// A tenant's reply channel. Kept while an outcome or a consumer is there.
final class ReplyChannel {
  let key: TenantName
  /// Outcomes that nobody has at the moment, oldest first.
  var waiting = LazyHeap<WaitingDelivery>()
  /// Waiting or sent.
  var unacknowledged = 0
  var consumers = 0
  /// Those with credit, in turn.
  var ready = Fifo<Consumer>()
  var isWaitingForDispatch = false

  init(key: TenantName) {
    self.key = key
  }
}

/// An outcome's place among those that wait: in the order in which jobs ended, redelivered ones
/// where they were.
struct WaitingDelivery: Comparable {
  var sequence: UInt64
  var job: JobID

  static func < (left: WaitingDelivery, right: WaitingDelivery) -> Bool {
    left.sequence < right.sequence
  }
}

/// An outcome that was not acknowledged yet.
final class PendingDelivery {
  enum State {
    /// → sent.
    case waiting
    /// → waiting (its lease ran out, its consumer went).
    case sent(Consumer)
    // Acknowledged or parked, it is no longer in memory.
  }

  let order: OutcomeOrder
  let channel: ReplyChannel
  let sequence: UInt64
  /// Of its result.
  let bytes: Int
  var state = State.waiting
  /// How often it was sent.
  var attempts: UInt32
  var leaseEndMs: Int64?
  let ageEndMs: Int64

  init(
    order: OutcomeOrder, channel: ReplyChannel, sequence: UInt64, bytes: Int, attempts: UInt32,
    ageEndMs: Int64
  ) {
    self.order = order
    self.channel = channel
    self.sequence = sequence
    self.bytes = bytes
    self.attempts = attempts
    self.ageEndMs = ageEndMs
  }
}

/// An open `Receive` call.
final class Consumer {
  let call: CallRef
  let channel: ReplyChannel
  var credit: UInt64 = 0
  /// Sent to it, neither acknowledged nor taken back.
  var held: Set<JobID> = []
  /// Of the results of those.
  var heldBytes = 0
  var isOpen = true
  var isInTurn = false
  /// Collected during one `apply`.
  var orders: [DeliveryOrder] = []
  var recorded: [JobID] = []
  var isTouched = false

  init(call: CallRef, channel: ReplyChannel) {
    self.call = call
    self.channel = channel
  }
}
