import RerankdProtocol
import SwiftProtobuf

@testable import Ledger
@testable import QueueRole

/// A world around one core, drawn from a seed.
final class CoreSimulation {
  /// A worker process: what it holds outlives its connection and the queue, not itself.
  struct Worker {
    var name: String
    var models: [String]
    var creditJobs: Int
    var creditBytes: Int
    var process: UInt32 = 1
    var call: CallRef?
    /// Leases it works on, and what of its credit they take.
    var held: [JobID: (lease: Lease, bytes: Int)] = [:]
    /// Leases it was told to drop, whose late outcomes it may send all the same.
    var dropped: [Lease] = []
    /// Permits that it asked for on this stream, and those that it was given.
    var asked: Set<UInt64> = []
    var granted: Set<UInt64> = []
  }

  struct ConsumerModel {
    var channel: String
    var credit = 0
    var unacknowledged: [JobID] = []
  }

  private(set) var problems: [String] = []
  private(set) var kills = 0
  /// Every effect in words: two runs of one seed must agree.
  private(set) var journal: [String] = []
  var keepsJournal = false

  private var random: SplitMix64
  private let withKills: Bool
  private var core: QueueCore
  private var ledger = CoreLedger()
  private let configuration: QueueConfiguration
  private var nowMs: Int64 = 50_000
  private var wallMs: Int64 = 1_790_000_000_000
  private var lastCall: UInt64 = 0
  /// With the answer, where the ledger gives it early: it is late by the time it comes.
  private var reads: [(ReadTicket, LedgerRead, LedgerReadResult?)] = []
  private var workers: [Worker]
  private var consumers: [CallRef: ConsumerModel] = [:]
  private var reranks: [CallRef] = []
  /// What a producer was told is on disk.
  private var acknowledged: Set<JobID> = []
  private var isFaulty = true
  private var lastPermit: UInt64 = 0
  private(set) var grants = 0
  private(set) var closings = 0
  private(set) var purges = 0

  private static let tenants = ["a", "b", "c"]
  private static let channels = ["x", "y"]

  init(seed: UInt64, kills: Bool) {
    random = SplitMix64(seed: seed)
    withKills = kills
    var configuration = QueueConfiguration(models: CoreHarness.models)
    configuration.liveJobsMax = 60
    configuration.tenantLiveJobsMax = 30
    configuration.channelUnacknowledgedMax = 20
    configuration.bodyChunkBytes = 64
    configuration.deliveryAttemptsMax = 4
    configuration.deadlineDefaultMs = 600_000
    configuration.backends = [
      CatalogueBackend(
        name: "hub", limits: BackendLimits(requestsPerMinuteMax: 300, concurrentRequestsMax: 3))
    ]
    configuration.models[0].backend = "hub"
    configuration.models[0].fallbacks = ["m2"]
    configuration.breaker.restCapMs = 20_000
    configuration.credentialsRestMs = 30_000
    self.configuration = configuration
    workers = (0..<4).map { index in
      Worker(
        name: "w\(index)", models: [["m1"], ["m2"], ["m1", "m2"], ["m2", "m1"]][index],
        creditJobs: 1 + index * 2, creditBytes: 100 + index * 100)
    }
    core = QueueCore(
      configuration: configuration, recovered: ledger.reopen(), shard: 0,
      moment: Moment(monotonicMs: 50_000, wallMs: 1_790_000_000_000, seed: seed))
  }

  func run(steps: Int) {
    for number in 0..<steps where problems.isEmpty {
      step()
      check(everything: number.isMultiple(of: 8))
    }
  }

  private func step() {
    switch pick(100) {
    case 0..<22: submit()
    case 22..<25: rerank()
    case 25..<28: cancel()
    case 28..<36: attach()
    case 36..<62: report()
    case 62..<66: breakWorker()
    case 66..<70: receive()
    case 70..<78: acknowledge()
    case 78..<80: closeConsumer()
    case 80..<92: pass(ms: Int64(pick(chance(10) ? 40_000 : 1_500)))
    case 92..<95: answerReads()
    case 95: chance(50) ? retryJobs() : act()
    case 96: operate()
    case 97: apply(.space(acceptsSubmits: !chance(20)))
    case 98: endRerank()
    default: if withKills { kill() }
    }
    if chance(80) { answerReads() }
  }

  // Producers.

  private func newJob() -> NewJob {
    NewJob(
      model: draw(["m1", "m2"]), tenant: draw(Self.tenants), priority: Int32(pick(7)) - 3,
      key: chance(30) ? "k\(pick(40))" : nil, hash: [chance(95) ? 1 : 2],
      channel: chance(60) ? draw(Self.channels) : nil,
      notBeforeMs: chance(10) ? Int64(pick(5_000)) : nil,
      deadlineMs: chance(30) ? Int64(1 + pick(60_000)) : nil,
      maxAttempts: chance(50) ? UInt32(1 + pick(6)) : nil, fallback: chance(40),
      bytes: chance(10) ? 450 : 1 + pick(120))
  }

  private func submit() {
    apply(.submit(newCall(), (0..<1 + pick(4)).map { _ in .valid(newJob()) }))
  }

  private func rerank() {
    let call = newCall()
    reranks.append(call)
    apply(.rerank(call, .valid(newJob()), cancelWithCall: chance(50)))
  }

  private func endRerank() {
    guard !reranks.isEmpty else { return }
    apply(.callEnded(reranks.remove(at: pick(reranks.count))))
  }

  private func cancel() {
    guard let id = draw(ledger.jobs.keys.sorted()) else { return }
    apply(.cancel(newCall(), id))
  }

  private func retryJobs() {
    guard let id = draw(ledger.jobs.keys.sorted()) else { return }
    apply(.retryJobs(newCall(), [id]))
  }

  /// Cancels, or removes what has ended; and brings some of it back at the same time.
  private func act() {
    let ids = ledger.jobs.keys.sorted()
    let chosen = (0..<1 + pick(4)).compactMap { _ in draw(ids) }
    guard !chosen.isEmpty else { return }
    if chance(30) { return apply(.cancelJobs(newCall(), chosen)) }
    if chance(30) { apply(.retryJobs(newCall(), chosen)) }
    apply(.purgeJobs(newCall(), chosen, undelivered: chance(50)))
    if chance(30) { apply(.retryJobs(newCall(), chosen)) }
  }

  private func operate() {
    apply(.setPaused(newCall(), chance(20)))
    apply(.setDraining(newCall(), chance(10)))
    for worker in workers { apply(.setWorkerPaused(newCall(), workerID: worker.name, chance(20))) }
    if chance(20) { apply(.ledgerTask(newCall(), .check)) }
    if chance(30) { apply(.setBackendPaused(newCall(), backend: "hub", chance(40))) }
    if chance(20) { apply(.drainWorker(newCall(), workerID: draw(["w0", "w1", "w2"]))) }
    apply(.status(newCall()))
    apply(.listWorkers(newCall()))
  }

  // Workers.

  private func attach() {
    let index = pick(workers.count)
    guard workers[index].call == nil || chance(10) else { return }
    attach(index)
  }

  private func attach(_ index: Int) {
    let call = newCall(peer: UInt64(100 + index))
    workers[index].call = call
    workers[index].asked = []
    workers[index].granted = []
    let worker = workers[index]
    let request = AttachRequest(
      workerID: worker.name, models: worker.models, creditJobs: worker.creditJobs,
      creditBytes: worker.creditBytes,
      held: worker.held.values.map(\.lease).sorted { $0.job < $1.job }, version: "1", host: "h",
      processID: worker.process)
    // What is not adopted is revoked, and so leaves `held` by the notice.
    apply(.attach(call, request))
  }

  private func report() {
    let index = pick(workers.count)
    guard let call = workers[index].call else { return }
    var report = WorkReport()
    for (_, entry) in workers[index].held.sorted(by: { $0.key < $1.key }) {
      switch pick(10) {
      case 0..<3: report.outcomes.append((entry.lease, .completed([UInt8(pick(256))])))
      case 3..<5: report.outcomes.append((entry.lease, .failed(failure())))
      case 5: report.released.append(entry.lease)
      case 6..<8: report.progress.append(entry.lease)
      default: break
      }
    }
    if chance(20), let late = workers[index].dropped.popLast() {
      report.outcomes.append(
        (late, chance(50) ? .completed([9]) : .failed(failure())))
    }
    if chance(2) { report.draining = true }
    if chance(3) { report.renewedCredentials = ["hub"] }
    addPermits(to: &report, of: index)
    apply(.work(call, report))
  }

  private func failure() -> WorkFailure {
    WorkFailure(
      code: StatusCode.unavailable.rawValue, message: "no", retryable: chance(80),
      retryAfterMs: chance(10) ? Int64(pick(100_000)) : nil, isUnspent: chance(8),
      fault: fault(), partialScores: chance(30) ? [UInt8(pick(256))] : nil)
  }

  private func fault() -> BackendFault {
    switch pick(20) {
    case 0: .credentialsRefused
    case 1: .rateLimited
    case 2..<6: .unavailable
    default: .none
    }
  }

  /// Asks for jobs that it has or had, and ends what it has, in whatever way.
  private func addPermits(to report: inout WorkReport, of index: Int) {
    for id in workers[index].granted.sorted() where chance(60) {
      workers[index].granted.remove(id)
      report.permitsEnded.append(
        PermitEnd(
          id: id, isUnused: chance(10), isUnfinished: chance(10), fault: fault(),
          retryAfterMs: chance(30) ? Int64(pick(5_000)) : nil, message: "m"))
    }
    for id in workers[index].asked.sorted() where chance(5) {
      workers[index].asked.remove(id)
      report.permitsEnded.append(PermitEnd(id: id, isUnused: true))
    }
    for id in workers[index].held.keys.sorted() where chance(40) {
      lastPermit += 1
      workers[index].asked.insert(lastPermit)
      report.permitsAsked.append(
        PermitAsk(id: lastPermit, backend: "hub", tokens: pick(500), job: id))
    }
  }

  /// The connection breaks, the process dies, or both.
  private func breakWorker() {
    let index = pick(workers.count)
    if chance(50) { crash(index) }
    if let call = workers[index].call {
      workers[index].call = nil
      apply(.callEnded(call))
    }
  }

  private func crash(_ index: Int) {
    workers[index].held = [:]
    workers[index].dropped = []
    workers[index].process += 1
  }

  // Consumers.

  private func receive() {
    if consumers.count < 4 {
      let call = newCall(peer: 300)
      let channel = draw(Self.channels)
      consumers[call] = ConsumerModel(channel: channel)
      apply(.receive(call, tenant: draw(Self.tenants), channel: channel))
    }
    guard let call = anyConsumer() else { return }
    let credit = 1 + pick(5)
    consumers[call]?.credit += credit
    apply(.receiveMore(call, credit: UInt32(credit), acknowledged: []))
  }

  private func acknowledge() {
    guard let call = anyConsumer(), let consumer = consumers[call] else { return }
    let ids = consumer.unacknowledged.filter { _ in isFaulty ? chance(60) : true }
    consumers[call]?.unacknowledged.removeAll { ids.contains($0) }
    apply(.receiveMore(call, credit: 0, acknowledged: ids))
  }

  private func closeConsumer() {
    guard let call = anyConsumer() else { return }
    consumers[call] = nil
    apply(.callEnded(call))
  }

  private func anyConsumer() -> CallRef? {
    draw(consumers.keys.sorted { $0.call < $1.call })
  }

  // Time and death.

  private func pass(ms: Int64) {
    let endMs = nowMs + ms
    while let wakeMs = core.nextWakeMs, wakeMs <= endMs, problems.isEmpty {
      move(to: max(wakeMs, nowMs))
      apply(.tick)
    }
    move(to: endMs)
  }

  private func move(to ms: Int64) {
    wallMs += ms - nowMs
    nowMs = ms
  }

  /// The process dies, sometimes with its last event not yet committed: nobody was told of it.
  private func kill() {
    kills += 1
    if chance(50) {
      var unsent: [QueueEffect] = []
      core.apply(.submit(newCall(), [.valid(newJob())]), at: moment(), into: &unsent)
    }
    reads = []
    reranks = []
    consumers = [:]
    for index in workers.indices {
      workers[index].call = nil
      if chance(30) { crash(index) }
    }
    wallMs += Int64(pick(20_000)) - 5_000
    core = QueueCore(
      configuration: configuration, recovered: ledger.reopen(), shard: 0, moment: moment())
  }

  private func answerReads() {
    while !reads.isEmpty {
      let (ticket, read, early) = reads.removeFirst()
      apply(.read(ticket, early ?? ledger.answer(read)))
    }
  }

  private func apply(_ input: QueueInput) {
    var effects: [QueueEffect] = []
    core.apply(input, at: moment(), into: &effects)
    for effect in effects { take(effect) }
  }

  private func moment() -> Moment {
    Moment(monotonicMs: nowMs, wallMs: wallMs, seed: random.next())
  }

  private func take(_ effect: QueueEffect) {
    if keepsJournal { journal.append("\(effect)") }
    switch effect {
    case .write(let write): ledger.take(write)
    case .read(let ticket, let read):
      reads.append((ticket, read, isOfAJob(read) && chance(50) ? ledger.answer(read) : nil))
    case .perform(let ticket, _):
      apply(.performed(ticket, .failed(.check, LedgerError(.busy, "there is no file"))))
    case .answer(_, let message): note(message)
    case .fail(let call, _), .finish(let call):
      for index in workers.indices where workers[index].call == call {
        workers[index].call = nil
      }
    case .workerNotice(let call, let notice):
      guard let index = workers.firstIndex(where: { $0.call == call }) else { return }
      for id in notice.recorded { workers[index].held[id] = nil }
      for grant in notice.granted {
        grants += 1
        // One that was given up meanwhile crossed its grant.
        if workers[index].asked.remove(grant.id) != nil { workers[index].granted.insert(grant.id) }
      }
      for refusal in notice.refused { workers[index].asked.remove(refusal.id) }
      for lease in notice.revoked where workers[index].held[lease.job]?.lease == lease {
        workers[index].held[lease.job] = nil
        workers[index].dropped.append(lease)
      }
    case .assign(let call, let orders):
      guard let index = workers.firstIndex(where: { $0.call == call }) else {
        return problems.append("an assignment for nobody")
      }
      for order in orders {
        workers[index].held[order.lease.job] = (order.lease, order.bodyBytes)
        if !workers[index].models.contains(order.model) { problems.append("wrong model") }
        let job = ledger.job(order.lease.job)?.record
        if let job, job.model != order.model, !job.allowFallback {
          problems.append("\(job.id): a fallback that it does not allow")
        }
        if order.hasPartialScores != (ledger.partialScores[order.lease.job] != nil) {
          problems.append("\(order.lease.job): its scores are not what the ledger has")
        }
      }
    case .deliver(let call, let orders):
      guard var consumer = consumers[call] else { return problems.append("delivery for nobody") }
      consumer.credit -= orders.count
      if consumer.credit < 0 { problems.append("more deliveries than credit") }
      consumer.unacknowledged += orders.map(\.outcome.job)
      consumers[call] = consumer
    default: break
    }
  }

  private func isOfAJob(_ read: LedgerRead) -> Bool {
    if case .job = read { true } else { false }
  }

  private func note(_ message: any Message) {
    for purged in (message as? PurgeJobsResponse)?.outcomes ?? [] where !purged.hasError {
      acknowledged.remove(JobID(rawValue: purged.jobID))
      purges += 1
    }
    let outcomes =
      (message as? SubmitResponse)?.outcomes ?? (message as? RetryJobsResponse)?.outcomes ?? []
    for outcome in outcomes where !outcome.hasError {
      acknowledged.insert(JobID(rawValue: outcome.jobID))
    }
  }
}

/// What must be true.
extension CoreSimulation {
  /// After every event; what takes longer, `everything`, after some.
  private func check(everything: Bool) {
    problems += ledger.violations
    if workers.reduce(0, { $0 + ($1.call == nil ? 0 : $1.granted.count) }) > 3 {
      problems.append("more requests under way than the backend takes")
    }
    if core.backends.contains(where: \.isClosed) { closings += 1 }
    for worker in workers where worker.call != nil {
      let bytes = worker.held.values.reduce(0) { $0 + $1.bytes }
      if worker.held.count > worker.creditJobs {
        problems.append("\(worker.name): jobs over credit")
      }
      if bytes > worker.creditBytes, worker.held.count > 1 {
        problems.append("\(worker.name): bytes over credit")
      }
    }
    guard everything else { return }
    problems += core.inconsistencies()
    for (id, job) in ledger.jobs where ledger.isLive(job.record.state.state) {
      if core.jobs[id] == nil { problems.append("\(id) is live on disk and not in memory") }
    }
  }

  /// The faults stop: workers score whatever they get, consumers acknowledge, time passes.
  func settle() {
    isFaulty = false
    apply(.space(acceptsSubmits: true))
    apply(.setPaused(newCall(), false))
    apply(.setDraining(newCall(), false))
    for worker in workers { apply(.setWorkerPaused(newCall(), workerID: worker.name, false)) }
    apply(.setBackendPaused(newCall(), backend: "hub", false))
    for tenant in Self.tenants {
      for channel in Self.channels {
        let call = newCall(peer: 301)
        consumers[call] = ConsumerModel(channel: channel, credit: 100_000)
        apply(.receive(call, tenant: tenant, channel: channel))
        apply(.receiveMore(call, credit: 100_000, acknowledged: []))
      }
    }
    for _ in 0..<3_000 where problems.isEmpty && !isSettled {
      answerReads()
      for index in workers.indices {
        if workers[index].call == nil { attach(index) }
        guard let call = workers[index].call else { continue }
        let leases = workers[index].held.values.map(\.lease).sorted { $0.job < $1.job }
        apply(.work(call, WorkReport(outcomes: leases.map { ($0, .completed([1])) })))
      }
      for call in consumers.keys.sorted(by: { $0.call < $1.call }) {
        let ids = consumers[call]?.unacknowledged ?? []
        consumers[call]?.unacknowledged = []
        apply(.receiveMore(call, credit: 0, acknowledged: ids))
      }
      pass(ms: 500)
      check(everything: true)
    }
    if !isSettled {
      problems.append("\(core.jobs.count) jobs and \(core.deliveries.count) outcomes")
    }
    checkEnds()
  }

  private var isSettled: Bool { core.jobs.isEmpty && core.deliveries.isEmpty && reads.isEmpty }

  private func checkEnds() {
    for id in acknowledged where ledger.job(id) == nil { problems.append("\(id) is lost") }
    for (id, job) in ledger.jobs {
      let state = job.record.state
      if ledger.isLive(state.state) { problems.append("\(id) did not end") }
      let successes = job.attempts.filter { $0.end == .succeeded }.count
      if successes != (state.state == .succeeded ? 1 : 0) {
        problems.append("\(id): \(successes) successes, and \(state.state)")
      }
      if state.attemptsSpent > job.record.maxAttempts { problems.append("\(id): over its budget") }
      if state.workersLost > configuration.workersLostMax { problems.append("\(id): poison lives") }
      if job.attempts.count > Int(state.attempt) { problems.append("\(id): attempts") }
      if ledger.partialScores[id] != nil { problems.append("\(id): scores outlive it") }
      if job.record.replyChannel != nil, job.delivery == nil || job.delivery?.state == .pending {
        problems.append("\(id): its outcome went nowhere")
      }
    }
  }

  private func newCall(peer: UInt64 = 1) -> CallRef {
    lastCall += 1
    return CallRef(peer: PeerID(rawValue: peer), call: lastCall)
  }

  private func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
  private func chance(_ percent: Int) -> Bool { pick(100) < percent }
  private func draw(_ options: [String]) -> String { options[pick(options.count)] }
  private func draw<Option>(_ options: [Option]) -> Option? {
    options.isEmpty ? nil : options[pick(options.count)]
  }
}

extension QueueCore {
  /// Where its indexes and counts disagree, in words.
  func inconsistencies() -> [String] {
    var problems: [String] = []
    func expect(_ holds: Bool, _ what: String) { if !holds { problems.append(what) } }
    let leased = jobs.values.filter { $0.lease != nil }
    expect(models.reduce(0) { $0 + $1.leasedCount } == leased.count, "leased counts")
    expect(
      models.reduce(0) { $0 + $1.readyCount } == jobs.values.filter(\.phase.isReady).count,
      "ready counts")
    expect(
      models.reduce(0) { $0 + $1.readyCount + $1.leasedCount + $1.delayedCount } == jobs.count,
      "phase counts")
    let waiting = lookups.values.flatMap(\.waiting)
    expect(admittedJobs == jobs.count + waiting.count, "admitted jobs")
    let bytes = jobs.values.reduce(0) { $0 + $1.bodyBytes }
    expect(
      admittedBytes == Int64(bytes + waiting.reduce(0) { $0 + $1.job.body.count }), "admitted bytes"
    )
    expect(tenants.values.reduce(0) { $0 + $1.jobs } == admittedJobs, "tenants' jobs")
    expect(jobsByKey.values.allSatisfy { jobs[$0] != nil }, "keys of jobs that ended")
    for session in sessions.values {
      let held = leased.filter { $0.lease?.session === session }
      expect(Set(held.map(\.id)) == session.held, "\(session.workerID) holds other jobs")
      expect(session.heldBytes == held.reduce(0) { $0 + $1.bodyBytes }, "held bytes")
    }
    let away = leased.filter { $0.lease?.session == nil }
    expect(Set(away.map(\.id)) == Set(departed.values.flatMap(\.jobs)), "departed workers' jobs")
    for channel in channels.values {
      let pending = deliveries.values.filter { $0.channel === channel }.count
      expect(pending == channel.unacknowledged, "unacknowledged outcomes of a channel")
    }
    for model in models where model.setAside != nil {
      expect(model.setAside?.phase.isReady == true, "set aside and not ready")
    }
    for session in sessions.values where session.reservedFor != nil {
      expect(
        models.contains {
          $0.setAside?.id == session.reservedFor && $0.reservedSession == session.number
        },
        "\(session.workerID) makes room for nobody")
    }
    for backend in backends {
      let permits = sessions.values.flatMap(\.permits.values).filter { $0.backend === backend }
      expect(backend.granted == permits.count { $0.grant != nil }, "permits given out")
      expect(backend.waiting.count == permits.count { $0.grant == nil }, "permits waited for")
      expect(Set(backend.waiting.all.map(\.number)).count == backend.waiting.count, "the line")
      expect(!backend.isClosed || backend.waiting.count == 0, "a line at a closed backend")
      expect(backend.granted <= backend.limits.concurrentRequestsMax ?? .max, "requests at once")
      for permit in permits where permit.grant == nil {
        expect(jobs[permit.job]?.lease?.session === permit.session, "a permit for another's job")
      }
    }
    expect(
      grantedPermits.count == backends.reduce(0) { $0 + $1.granted }, "permits by their numbers")
    expect(changesUnderWay > 0 || changedMeanwhile.isEmpty, "changes that nobody asks about")
    for model in models {
      let ready = jobs.values.filter { $0.model === model && $0.phase.isReady }
      let oldestMs = ready.map(\.readySinceMs).min()
      expect(model.oldestReadySinceMs == oldestMs, "the oldest ready job")
      let priorities = Set(jobs.values.lazy.filter { $0.model === model }.map(\.record.priority))
      expect(Set(model.depths.keys) == priorities, "the priorities of jobs")
      for depth in model.depths.values {
        let count = ready.count { $0.record.priority == depth.priority }
        expect(depth.ready == count, "ready jobs of a priority")
      }
      let queued = ready.filter { $0.readyKey != nil }
      let tenants = { (jobs: [Job]) in Set(jobs.map(\.tenant.name)).count }
      expect(model.ready.laneCount == tenants(queued.filter { !$0.isDiverted }), "ready lanes")
      expect(model.diverted.laneCount == tenants(queued.filter(\.isDiverted)), "diverted lanes")
      expect(
        model.divertible.laneCount == tenants(queued.filter { !$0.isDiverted && $0.mayFallBack }),
        "divertible lanes")
    }
    return problems
  }
}
