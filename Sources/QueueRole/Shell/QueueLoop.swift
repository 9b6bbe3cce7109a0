internal import AccessKeys
internal import CoreMetrics
internal import Ledger
internal import Logging
internal import RerankdProtocol
internal import Tracing
internal import ZeroMQ

/// The queue's one loop, on one thread that owns the sockets and the core.
///
/// A turn: wait for sockets, other threads or time; take what the ledger and the validator have
/// finished; drain the sockets, bounded by count and bytes; let the validator decode and check what
/// came; give the core its inputs; put the effects into the open batch; hand that batch to the ledger
/// unless it is busy; send what belongs to batches that are durable. Nothing blocks but the wait.
///
/// Memory is bounded at each step: what waits for the validator, what is in the open batch and how many
/// batches wait are limited, and beyond the limits the sockets are not read, so that the pressure goes
/// back to the peers.
final class QueueLoop {
  private enum Phase: Equatable {
    /// To `closing` by `shutDown`.
    case serving
    /// What has come is finished, nothing new is read; then `ended`.
    case closing(untilMs: Int64)
    case ended
  }

  let configuration: ShellConfiguration
  let logger: Logger
  let ledger: Ledger
  let mailbox: LoopMailbox
  var sockets: QueueSockets
  let pushReplies: PushReplies
  let intake: IntakeQueue
  let decoder: CallDecoder

  var core: QueueCore
  var clock = LoopClock()
  /// Of this turn: the core, too, sees one time in a turn, so that a stop in the middle of one shows
  /// in the next, before any timer.
  var nowMs: Int64
  var peers: PeerTable
  var pipeline: BatchPipeline
  var outboxes: Outboxes
  var bodies: PayloadCache
  var results: PayloadCache
  var counters = ShellCounters()
  let metrics: QueueMetrics
  let waitSpans: WaitSpans?
  private var turns = LoopTurns()

  /// What the peer table wants done, in order.
  var actions: [PeerAction] = []
  /// Read in this turn, for the validator.
  var unchecked: [IntakeItem] = []
  /// Handed to the validator and not yet back.
  var validatorItems = 0
  var validatorBytes = 0
  /// Checked, and not yet given to the core.
  var checked: [IntakeResult] = []
  var effects: [QueueEffect] = []

  private var attention: Attention
  private var phase = Phase.serving
  private var sweepDueMs: Int64 = 0
  private var spaceDueMs: Int64 = 0
  private var retryDueMs: Int64 = 0
  private var acceptsSubmits = true
  private var fullTenants: Set<String> = []
  var keyWatch: KeyWatch?
  var keysDueMs: Int64 = 0
  var reportedRefusals: UInt64 = 0

  init(
    _ configuration: QueueConfiguration, core: QueueCore, ledger: Ledger, sockets: QueueSockets,
    keys: (watch: KeyWatch, first: AuthorizedKeys)?, mailbox: LoopMailbox, logger: Logger,
    metrics: QueueMetrics = QueueMetrics(NOOPMetricsHandler.instance),
    tracer: any Tracer = NoOpTracer()
  ) {
    let shell = configuration.shell
    self.configuration = shell
    self.metrics = metrics
    waitSpans = WaitSpans(tracer)
    self.core = core
    self.ledger = ledger
    self.sockets = sockets
    self.mailbox = mailbox
    self.logger = logger
    nowMs = LoopClock.monotonicMs
    let lapse = min(
      shell.lapse, shell.peers.silence, .milliseconds(configuration.reattachGraceMs))
    attention = Attention(lapse: lapse, nowMs: nowMs)
    peers = PeerTable(limits: shell.peers)
    pipeline = BatchPipeline(limits: shell.batch)
    outboxes = Outboxes(limits: shell.outbox)
    bodies = PayloadCache(bytesMax: shell.bodyCacheBytesMax)
    results = PayloadCache(bytesMax: shell.resultCacheBytesMax)
    pushReplies = PushReplies(context: sockets.context, limits: shell.pushReplies)
    let takesImages = Dictionary(
      configuration.models.map { ($0.name, $0.images) }, uniquingKeysWith: { first, _ in first })
    decoder = CallDecoder(limits: shell.intake, takesImages: takesImages)
    intake = IntakeQueue(decoder: decoder) { results in mailbox.post(.validated(results)) }
    keyWatch = keys?.watch
    if let keys { peers.allow(.listed(keys.first), into: &actions) }
    mailbox.wake(by: sockets.poller.wakeUp)
  }

  /// Returns after a shutdown.
  /// - Throws: `ZeroMQError` when a socket fails in a way that no peer can cause.
  func run() throws(ZeroMQError) {
    while phase != .ended {
      try wait()
      turns.begin(atNanoseconds: LoopClock.monotonicNanoseconds)
      takeEvents()
      try lookAtKeys()
      if phase == .serving, hasRoom { try drain() }
      checkDrained()
      admitChecked()
      runTimers()
      performActions()
      commitAndSend()
      if case .closing(let untilMs) = phase { try advanceClosing(untilMs) }
      turns.end(atNanoseconds: LoopClock.monotonicNanoseconds)
    }
    pushReplies.close()
  }

  var isClosing: Bool { phase != .serving }

  /// Whether everything that was read has been dealt with.
  private var isFinished: Bool {
    validatorItems == 0 && checked.isEmpty && pipeline.isIdle
  }

  /// Whether more may be read.
  private var hasRoom: Bool {
    !pipeline.isFull && checked.isEmpty && validatorItems < configuration.validatorItemsMax
      && validatorBytes < configuration.validatorBytesMax
  }

  private func wait() throws(ZeroMQError) {
    let isReading = phase == .serving && hasRoom
    sockets.setReading(isReading)
    let sinceMs = LoopClock.monotonicMs
    let waitMs = max(0, dueMs - sinceMs)
    if isReading { attention.listens(fromMs: sinceMs, untilMs: sinceMs + waitMs) }
    try sockets.poller.wait(timeout: .milliseconds(waitMs))
    nowMs = LoopClock.monotonicMs
    guard attention.mustExcuse(nowMs: nowMs) else { return }
    peers.excuse(nowMs: nowMs)
    apply(.silenceExcused)
  }

  /// When there is something to do though nothing comes.
  private var dueMs: Int64 {
    if !checked.isEmpty, !pipeline.isFull { return nowMs }
    var dueMs = spaceDueMs
    if !peers.isEmpty { dueMs = min(dueMs, sweepDueMs) }
    if phase == .serving, let wakeMs = core.nextWakeMs { dueMs = min(dueMs, wakeMs) }
    if !outboxes.isEmpty || pushReplies.hasWaiting { dueMs = min(dueMs, retryDueMs) }
    if let restEndsMs = pipeline.restEndsMs { dueMs = min(dueMs, restEndsMs) }
    if keyWatch != nil { dueMs = min(dueMs, keysDueMs) }
    if case .closing(let untilMs) = phase { dueMs = min(dueMs, untilMs) }
    return dueMs
  }

  private func takeEvents() {
    for event in mailbox.take() {
      switch event {
      case .durable(let sequence):
        pipeline.durable(sequence)
      case .read(let ticket, let result):
        if case .failed(let message) = result {
          logger.error("the ledger could not be read", metadata: ["reason": "\(message)"])
        }
        if let coreTicket = pipeline.answered(ticket, result) { apply(.read(coreTicket, result)) }
      case .performed(let ticket, let result):
        log(result)
        apply(.performed(ticket, result))
      case .validated(let results):
        validatorItems -= results.count
        validatorBytes -= results.reduce(0) { $0 + $1.bytes }
        checked += results
      case .configured(let new):
        apply(.configured(new))
        rereadKeys()
      case .observe(let take):
        applyGauges()
        take(
          QueueObservation(
            status: core.makeStatus(), creditJobs: core.creditJobs, heldJobs: core.heldJobs,
            turns: turns.take()))
      case .shutDown:
        guard phase == .serving else { continue }
        peers.isClosing = true
        let graceMs = Int64(configuration.shutdownGrace.wholeMilliseconds)
        phase = .closing(untilMs: nowMs + graceMs)
      }
    }
  }

  private func log(_ result: LedgerTaskResult) {
    switch result {
    case .backedUp(let backup):
      logger.notice(
        "the ledger is backed up",
        metadata: [
          "path": "\(backup.path)", "bytes": "\(backup.bytes)", "jobs": "\(backup.jobs)",
          "ms": "\(backup.durationMs)",
        ])
    case .checked(let report):
      logger.log(
        level: report.problems.isEmpty ? .notice : .critical,
        report.problems.isEmpty ? "the ledger is sound" : "the ledger is not sound",
        metadata: [
          "jobs": "\(report.jobs)", "ms": "\(report.durationMs)",
          "problems": "\(report.problems.count)", "first": "\(report.problems.first ?? "")",
        ])
    case .counted: break
    case .failed(let kind, let error):
      logger.log(
        level: error.code == .busy || error.code == .name ? .notice : .error,
        "the ledger's \(kind.rawValue) failed", metadata: ["reason": "\(error.message)"])
    }
  }

  private func drain() throws(ZeroMQError) {
    for socket in [ListenSocket.workers, .producers] {
      try sockets.drain(socket, configuration) { received in
        switch received {
        case .message(let frames, let userID):
          peers.receive(frames, from: userID, on: socket, nowMs: nowMs, into: &actions)
        case .oversized(let frames):
          peers.receiveOversized(frames, on: socket, nowMs: nowMs, into: &actions)
        }
      }
    }
    try sockets.drainBare(configuration) { received in
      switch received {
      case .message(let frames, let userID) where frames.count == 1:
        // Submitting is what a bare job does.
        if let caller = peers.access.caller(userID), caller.mayCall(.submit) {
          unchecked.append(.bare(frames[0], from: caller))
        } else {
          counters.permissionDenied += 1
        }
      case .message, .oversized:
        counters.bareRejectedMalformed += 1
      }
    }
    performActions()
  }

  private func runTimers() {
    if phase == .serving, let wakeMs = core.nextWakeMs, wakeMs <= nowMs { apply(.tick) }
    if sweepDueMs <= nowMs {
      sweepDueMs = nowMs + Int64(configuration.sweepInterval.wholeMilliseconds)
      peers.sweep(nowMs: nowMs, into: &actions)
    }
    if retryDueMs <= nowMs, !outboxes.isEmpty || pushReplies.hasWaiting {
      retryDueMs = nowMs + Int64(configuration.outbox.retryInterval.wholeMilliseconds)
      flushOutboxes()
      pushReplies.flush(nowMs: nowMs)
    }
    if spaceDueMs <= nowMs {
      spaceDueMs = nowMs + Int64(configuration.spaceInterval.wholeMilliseconds)
      pushReplies.flush(nowMs: nowMs)
      lookAtSpace()
    }
  }

  /// Now and then, and before anything is admitted: what comes within a second may be more than the
  /// reserve.
  func lookAtSpace() {
    let (accepts, full) = (ledger.acceptsSubmits, ledger.fullTenants)
    guard accepts != acceptsSubmits || full != fullTenants else { return }
    if accepts != acceptsSubmits {
      logger.log(
        level: accepts ? .notice : .error,
        accepts
          ? "there is free space again: submits are taken"
          : "free space is below the reserve: submits are refused")
    }
    for tenant in full.subtracting(fullTenants) {
      logger.warning(
        "as many jobs are kept as may be: submits of this tenant are refused",
        metadata: ["tenant": "\(tenant)"])
    }
    (acceptsSubmits, fullTenants) = (accepts, full)
    apply(.space(acceptsSubmits: accepts, fullTenants: full))
  }

  /// All that was taken in is answered; then the calls that still wait are told to come back, and
  /// what a full connection keeps from leaving gets the rest of the grace.
  private func advanceClosing(_ untilMs: Int64) throws(ZeroMQError) {
    let isOver = nowMs >= untilMs
    guard isFinished || isOver else { return }
    // Calls that came meanwhile are refused; messages of older ones are left to their senders, but
    // for those of calls that were cancelled: nobody would send these again.
    try drain()
    let cancelled = Set(
      unchecked.lazy.compactMap { if case .cancel(let call) = $0 { call } else { nil } })
    unchecked.removeAll { item in
      if let call = item.origin { !cancelled.contains(call) } else { true }
    }
    if !unchecked.isEmpty, !isOver {
      checkDrained()
      admitChecked()
      performActions()
      commitAndSend()
      guard isFinished else { return }
    }
    unchecked = []
    for instance in peers.openCalls { peers.fail(instance, .queueIsClosing, into: &actions) }
    actions.removeAll { if case .callEnded = $0 { true } else { false } }
    performActions()
    flushOutboxes()
    if outboxes.isEmpty || isOver { phase = .ended }
  }
}
