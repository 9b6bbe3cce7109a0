import RerankdProtocol
import Scoring
import SwiftProtobuf

/// A worker's side of the work stream, without I/O: what it holds, what it owes the queue and what
/// is to be done next. The shell feeds it events and carries out its actions, in order.
///
/// Each job held is in one of three states:
/// - running → ended (the engine answered), released (shutdown), gone (revoked or not adopted)
/// - ended: an outcome that the queue has not recorded yet → gone (recorded or revoked)
/// - released: given back unspent, not recorded yet → gone (recorded, revoked or not adopted)
struct WorkerSession {
  enum Event {
    /// A stream to the queue is open; nothing was sent on it yet.
    case connected(models: [String])
    case received(QueueMessage)
    /// The stream ended, however it did.
    case disconnected
    /// The engine did some of the job's work.
    case progress(LeaseRef)
    case ended(LeaseRef, AttemptEnd)
    /// An engine wants to send a request for a job; the shell numbers them.
    case permitWanted(PermitBook.Permit)
    case permitEnded(UInt64, PermitEnd)
    /// Credentials that this backend had refused have changed.
    case credentialsRenewed(backend: String)
    /// Once: finish within the grace period. Once more: give back at once.
    case shutdown
    case releaseNow
    /// ``nextWake`` has come.
    case tick
  }

  enum AttemptEnd: Equatable {
    /// A serialized RerankResult.
    case completed([UInt8])
    case failed(AttemptFailure)
  }

  enum PermitEnd {
    /// The request was never sent.
    case unused
    case answered
    case failed(EngineError)
    /// Given up before its answer.
    case unfinished
  }

  enum Action: Equatable {
    case send(WorkerMessage)
    case start(Assignment)
    case cancel(LeaseRef)
    /// Its request may be sent, once `begin` says so.
    case grant(UInt64)
    /// The backend takes nothing.
    case refuse(UInt64, retryAfter: Duration, reason: String)
    /// Detach: nothing is held any more, or nothing more can be done for what is.
    case finish
  }

  enum Connection {
    /// → attaching
    case detached
    /// → attached, detached
    case attaching
    /// → detached
    case attached(epoch: UInt64, progressInterval: Duration)
  }

  private enum Phase {
    /// → draining, releasing
    case working
    /// Takes nothing new. → releasing at its deadline, leaving, finished
    case draining(deadline: Duration?)
    /// Waits for the queue to record what was given back. → leaving, finished
    case releasing(until: Duration)
    /// Holds nothing and waits for the queue to end the stream: what it assigned before it heard of
    /// the end is still on its way, and is given back. → finished
    case leaving(until: Duration)
    case finished
  }

  private let configuration: WorkerConfiguration
  private let version: String
  private let host: String
  private let processID: UInt32

  private var jobs = HeldJobs()
  var permits = PermitBook()
  /// Backends whose credentials changed while no stream was there to say so.
  var renewedBackends: Set<String> = []
  var connection = Connection.detached
  private var phase = Phase.working
  private var lastProgressSent: Duration?
  /// Outcomes that were given up because the queue was away for too long; their jobs run again.
  private(set) var outcomesDropped = 0

  init(
    configuration: WorkerConfiguration, version: String = "", host: String = "",
    processID: UInt32 = 0
  ) {
    self.configuration = configuration
    self.version = version
    self.host = host
    self.processID = processID
  }

  mutating func handle(_ event: Event, now: Duration) -> [Action] {
    if case .finished = phase { return [] }
    var actions: [Action] = []
    switch event {
    case .connected(let models): actions += attach(models)
    case .received(let message): actions += receive(message, now: now)
    case .disconnected:
      connection = .detached
      permits.loseGrants()
    case .progress(let lease): actions += noteProgress(lease, now: now)
    case .ended(let lease, let end): actions += endAttempt(lease, end)
    case .permitWanted(let permit): actions += ask(permit)
    case .permitEnded(let id, let end): actions += endPermit(id, end)
    case .credentialsRenewed(let backend):
      renewedBackends.insert(backend)
      actions += tellRenewals()
    case .shutdown: actions += shutDown(now: now)
    case .releaseNow: actions += releaseRunning(now: now)
    case .tick: actions += wake(now: now)
    }
    return actions + finishWhenDone(now: now)
  }

  /// When ``Event/tick`` is due, on the clock of `handle`'s `now`.
  var nextWake: Duration? {
    var wakes: [Duration] = []
    if case .attached(_, let interval) = connection, jobs.hasMoved || permits.waitingCount > 0 {
      wakes.append((lastProgressSent ?? .zero) + interval)
    }
    switch phase {
    case .draining(let deadline?): wakes.append(deadline)
    case .releasing(let until), .leaving(let until): wakes.append(until)
    case .draining(nil), .working, .finished: break
    }
    return wakes.min()
  }

  /// Jobs that the engine works on.
  var runningJobs: Int { jobs.runningCount }
}

// What the stream brings.
extension WorkerSession {
  private mutating func attach(_ models: [String]) -> [Action] {
    connection = .attaching
    var message = WorkerMessage()
    message.attach = Attach.with {
      $0.workerID = configuration.workerID
      $0.models = models
      $0.creditJobs = UInt32(clamping: configuration.creditJobs)
      $0.creditBytes = UInt64(clamping: configuration.creditBytes)
      // What has ended is listed too: the queue then takes its outcome, which follows at once, as
      // that of a lease that stands.
      $0.held = jobs.all.map(\.lease)
      $0.version = version
      $0.host = host
      $0.processID = processID
    }
    message.released = jobs.all.filter { !$0.isRunning && !$0.hasEnded }.map(\.lease)
    if case .working = phase {} else { message.draining = true }
    return [.send(message)]
      + jobs.outcomes.map { ended in .send(.with { $0.outcomes = [ended.outcome] }) }
  }

  private mutating func receive(_ message: QueueMessage, now: Duration) -> [Action] {
    var actions: [Action] = []
    if message.hasAttached { actions += attached(message.attached, now: now) }
    for jobID in message.recordedJobIds where jobs[jobID]?.isRunning == false {
      jobs.remove(jobID)
    }
    for lease in message.revoked {
      guard let job = jobs[lease.jobID], job.lease.attempt <= lease.attempt else { continue }
      actions += drop(job)
    }
    if message.drain, case .working = phase { phase = .draining(deadline: nil) }
    for grant in message.grantedPermits { actions += take(grant, now: now) }
    for refusal in message.refusedPermits { actions += take(refusal) }
    return actions + take(message.assignments)
  }

  private mutating func attached(_ attached: Attached, now: Duration) -> [Action] {
    // A progress message renews all its leases; four a heartbeat are plenty.
    let interval = Duration.milliseconds(max(1, Int64(clamping: attached.heartbeatMs) / 4))
    connection = .attached(epoch: attached.epoch, progressInterval: interval)
    let adopted = Set(attached.adoptedJobIds)
    var actions: [Action] = []
    // An outcome that is on its way may be taken even now; the queue says what became of it.
    for job in jobs.all where !job.hasEnded && !adopted.contains(job.lease.jobID) {
      actions += drop(job)
    }
    lastProgressSent = nil
    // What the stream before was asked for is void.
    let requests = permits.waiting.map(\.request)
    if !requests.isEmpty { actions.append(.send(.with { $0.permitRequests = requests })) }
    return actions + tellRenewals() + sendProgress(now: now)
  }

  private mutating func take(_ assignments: [Assignment]) -> [Action] {
    guard case .attached(let epoch, _) = connection else { return [] }
    var actions: [Action] = []
    var refused = WorkerMessage()
    for assignment in assignments {
      let lease = assignment.lease
      // A lease of an earlier life of the queue is superseded already.
      guard lease.epoch == epoch else { continue }
      if let job = jobs[lease.jobID] {
        guard job.lease.attempt < lease.attempt else { continue }
        actions += drop(job)
      }
      if takesMore(bytes: assignment.request.count) {
        jobs.start(lease, bytes: assignment.request.count)
        actions.append(.start(assignment))
      } else {
        jobs.release(lease)
        refused.released.append(lease)
      }
    }
    return refused.released.isEmpty ? actions : actions + [.send(refused)]
  }

  /// The queue counts credit too; this holds when it errs, or when it forgot what is held here.
  private func takesMore(bytes: Int) -> Bool {
    guard case .working = phase else { return false }
    if jobs.runningCount == 0 { return true }
    return jobs.runningCount < configuration.creditJobs
      && jobs.runningBytes + bytes <= configuration.creditBytes
  }

  private mutating func drop(_ job: HeldJobs.Job) -> [Action] {
    jobs.remove(job.lease.jobID)
    return job.isRunning ? [.cancel(job.lease)] : []
  }
}

// What the engines bring.
extension WorkerSession {
  private mutating func noteProgress(_ lease: LeaseRef, now: Duration) -> [Action] {
    guard jobs.running(lease) != nil else { return [] }
    jobs.noteProgress(lease)
    return sendProgress(now: now)
  }

  /// Renews the leases of jobs that moved since the last time, and of no others.
  private mutating func sendProgress(now: Duration) -> [Action] {
    guard case .attached(_, let interval) = connection else { return [] }
    if let last = lastProgressSent, now < last + interval { return [] }
    // Waiting in a backend's line is all that a job can do there.
    for permit in permits.waiting where jobs.running(permit.lease) != nil {
      jobs.noteProgress(permit.lease)
    }
    guard jobs.hasMoved || permits.waitingCount > 0 else { return [] }
    lastProgressSent = now
    guard jobs.hasMoved else { return [] }
    let moved = jobs.takeMoved()
    return [.send(.with { $0.progress = moved })]
  }

  private mutating func endAttempt(_ lease: LeaseRef, _ end: AttemptEnd) -> [Action] {
    // Whoever was cancelled, revoked or superseded in the meantime is not asked any more.
    guard jobs.running(lease) != nil else { return [] }
    var outcome = AttemptOutcome()
    outcome.lease = lease
    let bytes: Int
    switch end {
    case .completed(let result):
      outcome.completed = .init(result)
      bytes = result.count
    case .failed(let failure):
      outcome.failed = failure
      bytes = failure.status.message.utf8.count + failure.partialScores.count
    }
    jobs.end(lease, outcome, bytes: bytes)
    if case .detached = connection {
      dropOldestOutcomes()
      return []
    }
    return [.send(.with { $0.outcomes = [outcome] })]
  }

  /// With the queue away, memory for what it should hear is bounded; the oldest goes first, and its
  /// job runs again when its lease has run out.
  private mutating func dropOldestOutcomes() {
    guard jobs.outcomeBytes > configuration.unsentOutcomeBytesMax else { return }
    for oldest in jobs.outcomes where jobs.outcomeBytes > configuration.unsentOutcomeBytesMax {
      jobs.remove(oldest.outcome.lease.jobID)
      outcomesDropped += 1
    }
  }
}

// The end.
extension WorkerSession {
  private mutating func shutDown(now: Duration) -> [Action] {
    switch phase {
    case .working:
      phase = .draining(deadline: now + configuration.shutdownGrace)
      if case .detached = connection { return [] }
      return [.send(.with { $0.draining = true })]
    case .draining(nil):
      phase = .draining(deadline: now + configuration.shutdownGrace)
      return []
    case .draining:
      return releaseRunning(now: now)
    case .releasing, .leaving, .finished:
      return []
    }
  }

  private mutating func releaseRunning(now: Duration) -> [Action] {
    switch phase {
    case .releasing, .leaving, .finished: return []
    case .working, .draining: break
    }
    phase = .releasing(until: now + configuration.releaseTimeout)
    let running = jobs.all.filter(\.isRunning).map(\.lease)
    for lease in running { jobs.release(lease) }
    var actions: [Action] = running.map { .cancel($0) }
    if case .detached = connection { return actions }
    actions.append(
      .send(
        .with {
          $0.released = running
          $0.draining = true
        }))
    return actions
  }

  private mutating func wake(now: Duration) -> [Action] {
    switch phase {
    case .draining(let deadline?) where now >= deadline:
      return releaseRunning(now: now)
    case .releasing(let until) where now >= until, .leaving(let until) where now >= until:
      phase = .finished
      return [.finish]
    case .draining, .releasing, .leaving, .working, .finished:
      return sendProgress(now: now)
    }
  }

  private mutating func finishWhenDone(now: Duration) -> [Action] {
    let until: Duration
    switch phase {
    case .draining: until = now + configuration.releaseTimeout
    case .releasing(let end), .leaving(let end): until = end
    case .working, .finished: return []
    }
    guard jobs.isEmpty else { return [] }
    if case .detached = connection {
      phase = .finished
      return [.finish]
    }
    phase = .leaving(until: until)
    return []
  }
}
