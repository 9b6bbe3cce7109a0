internal import Ledger
internal import RerankdProtocol

/// One group commit: what the effects of some turns of the loop write and read, and what may be
/// sent once that is durable.
struct OutgoingBatch {
  /// Who asked for a read.
  enum ReadOwner: Sendable {
    case core(ReadTicket)
    /// A payload that is to be sent with this batch and is no longer in memory.
    case body(JobID)
    case result(JobID)
    case partialScores(JobID)
  }

  /// In the order in which it leaves; what is for one stream is gathered where its first part
  /// stood.
  enum Item {
    /// Serialized messages of a call, and whether its STATUS is among them.
    case envelopes(CallInstance, [Envelope], endsCall: Bool)
    /// With the draft's index.
    case worker(CallInstance, Int)
    case consumer(CallInstance, Int)
    case push(endpoint: String, OutcomeOrder)
  }

  private(set) var writes: [LedgerWrite] = []
  private(set) var writeBytes = 0
  private(set) var reads: [LedgerRead] = []
  /// Parallel to `reads`.
  private(set) var readOwners: [ReadOwner] = []
  private(set) var items: [Item] = []
  /// Bodies and results that the items need; missing ones are being read.
  private(set) var bodies: [JobID: [UInt8]] = [:]
  private(set) var results: [JobID: [UInt8]] = [:]
  private var partialScores: [JobID: [UInt8]] = [:]
  /// Jobs whose payload was asked for in vain.
  private(set) var unreadable: [JobID] = []
  /// Payload reads that have not been answered yet.
  private(set) var payloadsAwaited = 0
  /// Asked for already: an outcome may go to a consumer and to an endpoint.
  private var awaitedBodies: Set<JobID> = []
  private var awaitedResults: Set<JobID> = []
  private var workerDrafts: [WorkerDraft] = []
  private var consumerDrafts: [ConsumerDraft] = []
  /// The draft of each stream.
  private var streams: [CallInstance: Int] = [:]

  /// Whether anybody waits for this batch. Acknowledged deliveries, and the news that they are
  /// recorded, can wait a little for a commit that is made anyway: losing one costs a redelivery,
  /// no job.
  private(set) var isAwaited = false

  var isEmpty: Bool { items.isEmpty && !needsLedger }
  var needsLedger: Bool { !writes.isEmpty || !reads.isEmpty }

  mutating func write(_ write: LedgerWrite) {
    writeBytes += write.payloadBytes
    writes.append(write)
    if !write.isAcknowledgement { isAwaited = true }
  }

  mutating func read(_ ticket: ReadTicket, _ read: LedgerRead) {
    reads.append(read)
    readOwners.append(.core(ticket))
    isAwaited = true
  }

  mutating func send(_ call: CallInstance, _ envelopes: [Envelope], endsCall: Bool) {
    items.append(.envelopes(call, envelopes, endsCall: endsCall))
    isAwaited = true
    if endsCall { streams[call] = nil }
  }

  mutating func tellWorker(_ call: CallInstance, _ change: (inout WorkerDraft) -> Void) {
    isAwaited = true
    let index = streams[call] ?? workerDrafts.count
    if index == workerDrafts.count {
      workerDrafts.append(WorkerDraft())
      streams[call] = index
      items.append(.worker(call, index))
    }
    change(&workerDrafts[index])
  }

  mutating func deliver(_ call: CallInstance, _ orders: [DeliveryOrder]) {
    isAwaited = true
    tellConsumer(call) { $0.add(orders) }
  }

  mutating func acknowledge(_ call: CallInstance, recorded jobs: [JobID]) {
    tellConsumer(call) { $0.add(recorded: jobs) }
  }

  private mutating func tellConsumer(
    _ call: CallInstance, _ change: (inout ConsumerDraft) -> Void
  ) {
    let index = streams[call] ?? consumerDrafts.count
    if index == consumerDrafts.count {
      consumerDrafts.append(ConsumerDraft())
      streams[call] = index
      items.append(.consumer(call, index))
    }
    change(&consumerDrafts[index])
  }

  mutating func push(_ endpoint: String, _ outcome: OutcomeOrder) {
    items.append(.push(endpoint: endpoint, outcome))
    isAwaited = true
  }

  mutating func needBody(_ job: JobID, cached: [UInt8]?) {
    guard bodies[job] == nil else { return }
    if let cached {
      bodies[job] = cached
    } else if awaitedBodies.insert(job).inserted {
      awaitPayload(.body(job), owner: .body(job))
    }
  }

  mutating func needResult(_ job: JobID, cached: [UInt8]?) {
    guard results[job] == nil else { return }
    if let cached {
      results[job] = cached
    } else if awaitedResults.insert(job).inserted {
      awaitPayload(
        .job(job, withRequest: false, withAttempts: false), owner: .result(job))
    }
  }

  /// An attempt without them is as good, only dearer.
  mutating func needPartialScores(_ job: JobID) {
    awaitPayload(.partialScores(job), owner: .partialScores(job))
  }

  private mutating func awaitPayload(_ read: LedgerRead, owner: ReadOwner) {
    reads.append(read)
    readOwners.append(owner)
    payloadsAwaited += 1
    isAwaited = true
  }

  /// The answer to one of the payload reads; nil when it could not be read.
  mutating func payload(_ owner: ReadOwner, _ bytes: [UInt8]?) {
    payloadsAwaited -= 1
    switch owner {
    case .body(let job):
      bodies[job] = bytes
      if bytes == nil { unreadable.append(job) }
    case .result(let job):
      results[job] = bytes
      if bytes == nil { unreadable.append(job) }
    case .partialScores(let job): partialScores[job] = bytes
    case .core: break
    }
  }

  /// The ledger has its part; what is left is to be sent.
  mutating func takeLedgerPart() -> (writes: [LedgerWrite], reads: [LedgerRead]) {
    defer {
      writes = []
      reads = []
    }
    return (writes, reads)
  }

  /// Serializes what has its payloads, so that this is done while the ledger syncs.
  mutating func encode(frameTarget: Int, limits: ProtocolLimits) {
    guard payloadsAwaited == 0 else { return }
    for index in items.indices {
      let instance: CallInstance
      let messages: [[UInt8]]
      switch items[index] {
      case .envelopes, .push: continue
      case .worker(let call, let draft):
        instance = call
        messages = workerDrafts[draft].messages(
          bytesTarget: frameTarget, bytesMax: limits.messageBytesMax, body: { bodies[$0] },
          scores: { partialScores[$0] })
      case .consumer(let call, let draft):
        instance = call
        messages = consumerDrafts[draft].messages(bytesTarget: frameTarget) { results[$0] }
      }
      items[index] = .envelopes(
        instance,
        messages.flatMap {
          Envelope.messages(callID: instance.call.call, $0, limits: limits)
        },
        endsCall: false)
    }
  }
}

extension LedgerWrite {
  /// The bytes that make a batch large.
  var payloadBytes: Int {
    switch self {
    case .insertJob(_, let body): body?.count ?? 0
    case .putBodyChunk(_, index: _, let chunk): chunk.count
    case .insertAttempt(let attempt): attempt.result?.count ?? 0
    case .insertReject(let reject): reject.excerpt.count
    case .putPartialScores(_, attempt: _, let scores): scores.count
    case .updateJob, .removeJob, .spareJob, .putDelivery, .dropBody, .dropPartialScores,
      .putSetting:
      0
    }
  }

  fileprivate var isAcknowledgement: Bool {
    if case .putDelivery(let delivery) = self { delivery.state == .acknowledged } else { false }
  }
}
