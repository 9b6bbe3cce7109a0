import Ledger
import RerankdProtocol

/// The queue as a state machine: what happened goes in, what to do comes out. It has no clock,
/// socket or file and no randomness but the seed it is given, so the same inputs always make the
/// same effects, and years of faults can be tried in seconds.
///
/// A job waits (`delayed`, `ready`), is worked on (`leased`) and ends once; see `JobPhase`. Only
/// jobs that have not ended are in memory, with the outcomes that no consumer has acknowledged;
/// everything else is asked of the ledger by `read` effects. One `apply` runs in three steps: the
/// input changes state and marks what it touched; `dispatch` hands ready jobs to workers and
/// outcomes to consumers; `flush` writes every touched job once, in its last state, and then tells
/// the workers. So a job that is submitted and assigned at once costs one row, and the shell need
/// only keep the order of effects.
///
/// The parts, a file each: +Admission (submit, keys, limits), +Dispatch (who gets what), +Workers
/// (attach, adoption, drain), +Leases (progress, loss, timers), +Outcomes (completed, failed,
/// released, ended), +Backends (whether they take work) and +Permits (how much), +Replies (delivery
/// to consumers), +Reads, +Control, +JobActions, +Supervisors and +LedgerTasks.
final class QueueCore {
  private(set) var configuration: QueueConfiguration
  let shard: UInt16
  let epoch: UInt64
  let startedMs: Int64
  private(set) var retryPolicy: RetryPolicy

  // Of the apply that runs.
  var nowMs: Int64
  var wallMs: Int64
  var random: SplitMix64
  var effects: [QueueEffect] = []
  var changedJobs: [Job] = []
  var touchedSessions: [WorkerSession] = []
  var touchedConsumers: [Consumer] = []

  var nextSequence: UInt64
  var jobs: [JobID: Job] = [:]
  var jobsByKey: [TenantName: JobID] = [:]
  var tenants: [String: Tenant] = [:]
  var tenantRates = TenantRates()
  /// Live jobs and those on the way in.
  var admittedJobs = 0
  var admittedBytes: Int64 = 0
  var lookups: [TenantName: KeyLookup] = [:]
  var calls: [CallRef: OpenCall] = [:]
  var reads: [ReadTicket: PendingRead] = [:]
  var nextTicket: UInt64 = 1

  var models: [Model] = []
  var modelsByName: [String: Model] = [:]
  var modelsToDispatch = Fifo<Model>()
  var backends: [Backend] = []
  /// The declared ones.
  var backendsByName: [String: Backend] = [:]
  var backendsToGrant = Fifo<Backend>()
  /// Those given out, by number.
  var grantedPermits: [UInt64: Permit] = [:]
  var nextPermitNumber: UInt64 = 1
  var sessions: [UInt64: WorkerSession] = [:]
  var sessionsByWorker: [String: WorkerSession] = [:]
  var departed: [String: DepartedWorker] = [:]
  var workerPeers: [PeerID: WorkerPeer] = [:]
  var nextSessionNumber: UInt64 = 1
  var nextRankVersion: UInt64 = 1

  var channels: [TenantName: ReplyChannel] = [:]
  var channelsToDispatch = Fifo<ReplyChannel>()
  var deliveries: [JobID: PendingDelivery] = [:]
  var nextDeliverySequence: UInt64 = 1

  var timers = LazyHeap<Timer>()
  var isPaused = false
  var isDraining = false
  /// Ids of workers that an operator paused, attached or not.
  var pausedWorkers: Set<String> = []
  var supervisors: [String: Supervisor] = [:]
  var backup = BackupRecord()
  /// nil: none is due, or one is under way.
  var backupDueMs: Int64?
  /// Reads of ended jobs that an operator wants to change, not answered yet; and, of the jobs that
  /// were changed since the first of these was asked, the first read that shows it.
  var changesUnderWay = 0
  var changedMeanwhile: [JobID: ReadTicket] = [:]
  var acceptsSubmits = true
  var fullTenants: Set<String> = []
  var counters = Counters()
  var ledgerStatus = LedgerStatus()
  var shellCounters = ShellCounters()

  /// - Parameter recovered: what the ledger holds that has not ended. Its leases wait for their
  ///   workers.
  init(
    configuration: QueueConfiguration, recovered: RecoveredLedger, shard: UInt16, moment: Moment
  ) {
    self.configuration = configuration
    self.shard = shard
    epoch = recovered.epoch
    nextSequence = recovered.nextSequence
    startedMs = moment.monotonicMs
    nowMs = moment.monotonicMs
    wallMs = moment.wallMs
    random = SplitMix64(seed: moment.seed)
    retryPolicy = RetryPolicy(baseMs: configuration.retryBaseMs, capMs: configuration.retryCapMs)
    addCatalogue()
    recover(recovered)
  }

  /// Works one input off. Effects are appended in the order in which they must be done.
  func apply(_ input: QueueInput, at moment: Moment, into effects: inout [QueueEffect]) {
    nowMs = moment.monotonicMs
    wallMs = moment.wallMs
    random = SplitMix64(seed: moment.seed)
    swap(&self.effects, &effects)
    take(input)
    repeat {
      dispatch()
      flush()
      // A worker that leaves with the flush gives its permits back.
    } while !backendsToGrant.isEmpty
    swap(&self.effects, &effects)
  }

  /// When the next `tick` is due, on the monotonic clock; nil: nothing waits for a time.
  var nextWakeMs: Int64? {
    while let timer = timers.top {
      if isLive(timer) { return timer.dueMs }
      timers.pop()
    }
    return nil
  }

  /// Takes a new configuration, as far as ``QueueConfiguration/taking(_:)`` goes.
  private func configure(_ new: QueueConfiguration) {
    configuration = configuration.taking(new)
    retryPolicy = RetryPolicy(baseMs: configuration.retryBaseMs, capMs: configuration.retryCapMs)
    for backend in backends {
      let declared = configuration.backends.first { $0.name == backend.name && backend.isDeclared }
      backend.configure(limits: declared?.limits, configuration, nowMs: nowMs)
      wakeGrants(of: backend)
    }
  }

  private func take(_ input: QueueInput) {
    switch input {
    case .submit(let call, let jobs): submit(call, jobs)
    case .rerank(let call, let job, let cancelWithCall):
      rerank(call, job, cancelWithCall: cancelWithCall)
    case .get(let call, let selector, let withRequest, let withAttempts, let tenants):
      get(call, selector, withRequest: withRequest, withAttempts: withAttempts, of: tenants)
    case .cancel(let call, let id, let tenants): cancel(call, id, of: tenants)
    case .listModels(let call): listModels(call)
    case .bare(let job, let excerpt): takeBare(job, excerpt: excerpt)
    case .receive(let call, let tenant, let channel):
      receive(call, TenantName(tenant: tenant, name: channel))
    case .receiveMore(let call, let credit, let acknowledged):
      receiveMore(call, credit: credit, acknowledged: acknowledged)
    case .attach(let call, let request): attach(call, request)
    case .work(let call, let report): work(call, report)
    case .status(let call): status(call)
    case .listJobs(let call, let filter, let ages): listJobs(call, filter, ages)
    case .retryJobs(let call, let ids): retryJobs(call, ids)
    case .cancelJobs(let call, let ids): act(.cancel, on: ids, call)
    case .purgeJobs(let call, let ids, let undelivered):
      act(.purge(undelivered: undelivered), on: ids, call)
    case .listWorkers(let call): listWorkers(call)
    case .drainWorker(let call, let workerID): drainWorker(call, workerID)
    case .setPaused(let call, let paused): setPaused(call, paused)
    case .setBackendPaused(let call, let backend, let paused):
      setBackendPaused(call, backend, paused)
    case .setWorkerPaused(let call, let workerID, let paused):
      setWorkerPaused(call, workerID, paused)
    case .setDraining(let call, let draining): setDraining(call, draining)
    case .scaleWorkers(let call, let supervisorID, let workers):
      scaleWorkers(call, supervisorID, to: workers)
    case .supervise(let call, let report): supervise(call, report)
    case .ledgerTask(let call, let task): perform(task, for: call)
    case .callEnded(let call): end(call)
    case .callRevoked(let call): endRevoked(call)
    case .heard(let peer): workerPeers[peer]?.heardMs = nowMs
    case .read(let ticket, let result): take(ticket, result)
    case .performed(let ticket, let result): take(ticket, result)
    case .space(let accepts, let full):
      acceptsSubmits = accepts
      fullTenants = full
    case .gauges(let status, let shell):
      ledgerStatus = status
      shellCounters = shell
    case .silenceExcused: excuseSilence()
    case .configured(let new): configure(new)
    case .tick: fireTimers()
    }
  }
}
