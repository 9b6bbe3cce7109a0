internal import Ledger
internal import RerankdProtocol

/// Group commit: at most one batch is with the ledger while one more is being filled, so batches
/// form by what arrives during a commit, without a timer; only a batch that nobody waits for
/// (`OutgoingBatch.isAwaited`) rests for a moment, so that its writes ride along with others'. What
/// a batch has to send leaves when the batch is durable and its payloads are here, in the order of
/// the batches.
struct BatchPipeline {
  struct Commit {
    var sequence: UInt64
    var writes: [LedgerWrite]
    /// Each with a ticket of the pipeline's own.
    var reads: [(UInt64, LedgerRead)]
  }

  private struct Sealed {
    var sequence: UInt64
    var batch: OutgoingBatch
    var isDurable: Bool

    var mayLeave: Bool { isDurable && batch.payloadsAwaited == 0 }
  }

  let limits: BatchLimits
  /// The batch being filled.
  var open = OutgoingBatch()
  private var sealed: [Sealed] = []
  private var lastSequence: UInt64 = 0
  private var lastTicket: UInt64 = 0
  /// Reads that are not answered yet: of which batch, and for whom. Answers to the core may come
  /// when their batch has left.
  private var reads: [UInt64: (sequence: UInt64, owner: OutgoingBatch.ReadOwner)] = [:]
  private var isCommitting = false
  /// When the open batch was first seen with something in it that nobody waits for.
  private var restingSinceMs: Int64?

  init(limits: BatchLimits) {
    self.limits = limits
  }

  /// The loop stops taking in until a batch has gone.
  var isFull: Bool {
    open.writes.count >= limits.writesMax || open.writeBytes >= limits.writeBytesMax
      || open.reads.count >= limits.readsMax || sealed.count >= limits.sealedMax
  }

  /// Nothing is with the ledger or asked of it, and nothing waits to be sent.
  var isIdle: Bool { open.isEmpty && sealed.isEmpty && reads.isEmpty && !isCommitting }

  var canSeal: Bool { hasRoomForSealed && open.isAwaited }

  private var hasRoomForSealed: Bool { !isCommitting && sealed.count < limits.sealedMax }

  /// When a batch that nobody waits for is to be closed; nil when there is none, or something else
  /// has to end first.
  var restEndsMs: Int64? {
    guard hasRoomForSealed, let restingSinceMs else { return nil }
    return restingSinceMs + Int64(limits.acknowledgementRest.wholeMilliseconds)
  }

  /// Closes the open batch unless the ledger is busy, or nobody waits for the batch yet.
  /// - Parameter hurries: the queue is ending, so nothing rests.
  /// - Returns: what to give to the ledger.
  mutating func seal(nowMs: Int64, hurries: Bool = false) -> Commit? {
    guard hasRoomForSealed, !open.isEmpty else { return nil }
    if !open.isAwaited, !hurries {
      restingSinceMs = restingSinceMs ?? nowMs
      guard let restEndsMs, restEndsMs <= nowMs else { return nil }
    }
    restingSinceMs = nil
    var batch = open
    open = OutgoingBatch()
    lastSequence += 1
    let needsLedger = batch.needsLedger
    let owners = batch.readOwners
    let (writes, batchReads) = batch.takeLedgerPart()
    sealed.append(Sealed(sequence: lastSequence, batch: batch, isDurable: !needsLedger))
    guard needsLedger else { return nil }
    isCommitting = true
    let ticketed = zip(batchReads, owners).map { read, owner in
      lastTicket += 1
      reads[lastTicket] = (lastSequence, owner)
      return (lastTicket, read)
    }
    return Commit(sequence: lastSequence, writes: writes, reads: ticketed)
  }

  /// Gives access to the batch sealed last, to serialize it while the ledger works.
  mutating func withLastSealed(_ change: (inout OutgoingBatch) -> Void) {
    guard !sealed.isEmpty else { return }
    change(&sealed[sealed.count - 1].batch)
  }

  mutating func durable(_ sequence: UInt64) {
    isCommitting = false
    guard let index = sealed.firstIndex(where: { $0.sequence == sequence }) else { return }
    sealed[index].isDurable = true
  }

  /// Takes the answer to a read. Payloads go to the batch that waits for them.
  /// - Returns: the core's ticket, when it was the core that asked.
  mutating func answered(_ ticket: UInt64, _ result: LedgerReadResult) -> ReadTicket? {
    guard let (sequence, owner) = reads.removeValue(forKey: ticket) else { return nil }
    if case .core(let coreTicket) = owner { return coreTicket }
    if let index = sealed.firstIndex(where: { $0.sequence == sequence }) {
      sealed[index].batch.payload(owner, result.payload)
    }
    return nil
  }

  /// The oldest batch, once it may leave.
  mutating func takeLeaving() -> OutgoingBatch? {
    guard let first = sealed.first, first.mayLeave else { return nil }
    return sealed.removeFirst().batch
  }
}

extension LedgerReadResult {
  /// The body or the result that was asked for; nil when it is not there or cannot be read.
  fileprivate var payload: [UInt8]? {
    switch self {
    case .body(let body): body
    case .job(let job): job?.result
    case .partialScores(let scores): scores
    case .key, .list, .failed: nil
    }
  }
}

public struct BatchLimits: Sendable, Equatable {
  /// Of one batch; a batch that has reached one of them stops the loop from reading its sockets. A
  /// single turn may go a little beyond.
  public var writesMax = 8_192
  public var writeBytesMax = 32 << 20
  public var readsMax = 1_024
  /// Batches that are durable, or becoming it, and wait for payloads to be read back.
  public var sealedMax = 8
  /// How long acknowledgements of deliveries wait for a commit that is made for somebody.
  public var acknowledgementRest: Duration = .milliseconds(20)

  public init() {}
}
