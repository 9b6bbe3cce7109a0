import RerankdProtocol

@testable import Ledger
@testable import QueueRole

/// What the disk must hold: what was reported durable, wholly, and nothing else but the batch that
/// was on its way.
extension History {
  /// The ledger begins a commit, and retention's slice rides along.
  func hand(_ writes: [LedgerWrite], atMs: Int64) {
    handed = writes
    retain(untilMs: atMs)
  }

  /// The ledger has reported the batch.
  func commit() {
    durable.fold(handed)
    settle(handed)
    handed = []
  }

  func retain(untilMs: Int64) { retainedMs = max(retainedMs, untilMs) }

  /// A process of the queue begins with what the one before it has left.
  func recover(_ ledger: SimulatedLedger, _ recovered: RecoveredLedger, _ world: World) {
    if recovered.epoch <= lastEpoch {
      world.fail("epoch \(recovered.epoch) comes after epoch \(lastEpoch)")
    }
    lastEpoch = recovered.epoch
    guard let image = compare(ledger, world) else { return }
    handed = []
    durable.forgetUploads()
    let live = image.jobs.values.filter { $0.record.state.isLive }
    if Set(live.map(\.record.id)) != Set(recovered.liveJobs.map(\.id)) {
      world.fail("recovery found other jobs than the ledger has")
    }
    let highest = max(image.jobs.keys.max()?.sequence ?? 0, acknowledged.max()?.sequence ?? 0)
    if recovered.nextSequence <= highest {
      world.fail("job number \(recovered.nextSequence) is given a second time")
    }
    passedOver = [:]
  }

  /// The world is over: all has ended, and everybody has what is theirs.
  func finish(_ process: QueueProcess, _ world: World) {
    check(process, world, everything: true)
    guard let image = compare(process.ledger, world) else { return }
    for job in image.jobs.values {
      let id = job.record.id
      let state = job.record.state
      if state.isLive { world.fail("job \(id) has not ended") }
      guard job.record.replyChannel != nil else { continue }
      switch job.delivery?.state {
      case .acknowledged where !wasReceived(id, state):
        world.fail("job \(id) was acknowledged, and its outcome was never received")
      case .acknowledged, .parked: break
      case .pending, .none?, .UNRECOGNIZED, nil:
        world.fail("the outcome of job \(id) went nowhere")
      }
    }
  }

  private func compare(_ ledger: SimulatedLedger, _ world: World) -> LedgerImage? {
    let image: LedgerImage
    do {
      image = try ledger.image()
      if let damage = try ledger.integrityProblems().first {
        world.fail("the ledger is damaged: \(damage)")
        return nil
      }
    } catch {
      world.fail("the ledger cannot be read: \(error)")
      return nil
    }
    guard match(image, world) else { return nil }
    for id in durable.jobs.keys.sorted() where image.jobs[id] == nil {
      durable.remove(id)
      removed.insert(id)
    }
    for id in acknowledged.sorted() where image.jobs[id] == nil && !removed.contains(id) {
      world.fail("job \(id) was acknowledged, and is lost")
    }
    for id in image.jobs.keys.sorted() {
      if let job = image.jobs[id] { check(job, world) }
    }
    return image
  }

  /// The batch on its way is there wholly or not at all; one that was too large for a transaction
  /// may end after a chunk of a body.
  private func match(_ image: LedgerImage, _ world: World) -> Bool {
    let keeping = world.scenario.queueConfiguration.ledger.retention
    func mayBeGone(_ job: LedgerImage.JobImage) -> Bool {
      let state = job.record.state
      guard !state.isLive else { return false }
      let isUndelivered = job.delivery?.state == .pending || job.delivery?.state == .parked
      if isUndelivered, retainedMs - state.updatedMs < keeping.undeliveredAgeMinMs { return false }
      return job.record.idempotencyKey == nil
        || retainedMs - job.record.submittedMs >= keeping.keyAgeMinMs
    }
    let splits = handed.indices.filter { handed[$0].permitsSplit }.map { $0 + 1 }
    let ends = handed.isEmpty ? [0] : [0] + splits + [handed.count]
    var differences: [String] = []
    for end in ends.reversed() {
      var expected = durable
      expected.fold(handed[..<end])
      guard let difference = expected.firstDifference(from: image, mayBeGone: mayBeGone) else {
        durable = expected
        settle(handed[..<end])
        return true
      }
      differences.append(difference)
    }
    let without = differences.popLast() ?? ""
    world.fail(
      "the ledger does not hold what was durable: \(without)"
        + (differences.first.map { "; nor with the batch of \(handed.count) on its way: \($0)" }
          ?? ""))
    return false
  }

  private func check(_ job: LedgerImage.JobImage, _ world: World) {
    let id = job.record.id
    let state = job.record.state
    observe(id, state.state, attempts: state.attempt, Self.disk, world)
    let successes = job.attempts.values.count { $0.end == .succeeded }
    if successes != (state.state == .succeeded ? 1 : 0) {
      world.fail("job \(id) is \(state.state) with \(successes) successes")
    }
    if state.attemptsSpent > job.record.maxAttempts {
      world.fail("job \(id) spent \(state.attemptsSpent) of \(job.record.maxAttempts) attempts")
    }
    if state.workersLost > world.scenario.queueConfiguration.workersLostMax {
      world.fail("job \(id) has lost \(state.workersLost) workers")
    }
    if (state.state == .leased) != (state.workerID != nil) {
      world.fail("job \(id) is \(state.state) with worker \(state.workerID ?? "none")")
    }
    if !state.isLive, job.partialScores != nil {
      world.fail("job \(id) has ended with scores left")
    }
    if let latest = job.attempts.keys.max(), latest > state.attempt {
      world.fail("job \(id) is at attempt \(state.attempt), and has a row of \(latest)")
    }
    for row in job.attempts.values where row.end == .failed {
      if row.message != WorkerModel.message(row) {
        world.fail("attempt \(row.attempt) of job \(id) failed by word on another: \(row.message)")
      }
    }
    guard !retried.contains(id) else { return }
    let spent = job.attempts.values.count {
      switch $0.end {
      case .succeeded, .lost: true
      case .failed: !WorkerModel.isUnspent($0)
      default: false
      }
    }
    if Int(state.attemptsSpent) != min(spent, Int(job.record.maxAttempts)) {
      world.fail("job \(id) spent \(state.attemptsSpent) attempts, and its rows say \(spent)")
    }
  }
}
