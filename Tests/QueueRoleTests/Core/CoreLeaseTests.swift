import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreLeaseTests {
  private func leased(_ queue: CoreHarness, _ job: NewJob = NewJob()) throws -> Lease {
    Lease(job: try queue.submit(job), attempt: 1, epoch: queue.core.epoch)
  }

  @Test func expiredLeaseSpendsTheAttemptAndCountsALostWorker() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.pass(ms: 29_999)
    #expect(queue.state(lease.job)?.state == .leased)
    let effects = queue.pass(ms: 1)
    #expect(effects.revoked(from: worker.call) == [lease])
    let state = try #require(queue.state(lease.job))
    #expect(state.attemptsSpent == 1 && state.workersLost == 1 && state.state != .leased)
    #expect(queue.ledger.job(lease.job)?.attempts.map(\.end) == [.lost])
    #expect(try queue.status().counters.leasesLost == 1)
  }

  @Test func leasesOutliveATimeInWhichTheQueueDidNotListen() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let moving = try leased(queue)
    let wedged = try leased(queue)
    let late = try leased(queue, NewJob(deadlineMs: 50_000))
    // Stopped: no tick in between, and progress waits in the socket.
    queue.stop(ms: 60_000)
    queue.send(.silenceExcused)
    #expect(queue.send(.tick).revoked(from: worker.call).map(\.job) == [late.job])
    #expect(queue.ledger.job(late.job)?.record.state.state == .expired)
    queue.send(.work(worker.call, WorkReport(progress: [moving])))
    #expect(queue.pass(ms: 9_999).revoked(from: worker.call).isEmpty)
    #expect(queue.pass(ms: 1).revoked(from: worker.call) == [wedged])
    #expect(queue.state(moving.job)?.state == .leased)
    #expect(queue.pass(ms: 20_000).revoked(from: worker.call) == [moving])
  }

  @Test func workerThatCameBackWhileTheQueueDidNotListenIsGivenItsJobs() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.send(.callEnded(worker.call))
    queue.stop(ms: 60_000)
    queue.send(.silenceExcused)
    queue.send(.tick)
    queue.attach(held: [lease])
    #expect(queue.pass(ms: 29_999).assigned.isEmpty)
    #expect(queue.state(lease.job)?.state == .leased)
    #expect(try queue.status().counters.leasesLost == 0)
  }

  @Test func excuseShortensNoLease() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.send(.silenceExcused)
    #expect(queue.pass(ms: 29_999).revoked(from: worker.call).isEmpty)
    #expect(queue.pass(ms: 1).revoked(from: worker.call) == [lease])
  }

  @Test func progressRenewsTheLeaseAndHeartbeatsDoNot() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let moving = try leased(queue)
    let wedged = try leased(queue)
    for _ in 0..<5 {
      queue.pass(ms: 10_000)
      queue.send(.heard(worker.call.peer))
      queue.send(.work(worker.call, WorkReport(progress: [moving])))
    }
    #expect(queue.state(moving.job)?.state == .leased)
    #expect(queue.state(wedged.job)?.workersLost == 1)
  }

  @Test func workerThatLostALeaseRestsUntilItMoves() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lost = try leased(queue)
    queue.pass(ms: 20_000)
    let other = try leased(queue)
    queue.pass(ms: 10_000)
    let next = try queue.submit(NewJob())
    #expect(queue.state(next)?.state == .ready)
    let effects = queue.send(.work(worker.call, WorkReport(progress: [other])))
    #expect(effects.assigned.map(\.job).contains(next))
    #expect(queue.state(lost.job)?.workersLost == 1)
  }

  @Test func thirdLostWorkerMakesAJobPoison() throws {
    let queue = CoreHarness { $0.attemptsDefault = 10 }
    let id = try queue.submit(NewJob(deadlineMs: 10_000_000))
    for round in 1...3 {
      let worker = queue.attach("w\(round)", peer: UInt64(10 + round))
      queue.pass(ms: 70_000)
      queue.send(.callEnded(worker.call))
      queue.pass(ms: 70_000)
    }
    let state = try #require(queue.state(id))
    #expect(state.state == .dead && state.workersLost == 3)
    #expect(state.endMessage?.hasPrefix("poison") == true)
  }

  @Test func workerThatComesBackInTimeKeepsItsJobs() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.send(.callEnded(worker.call))
    queue.pass(ms: 9_000)
    let back = queue.attach(held: [lease], peer: 11)
    guard case .attached(_, let notice)? = back.effects.first else {
      Issue.record("the first effect is no attached: \(back.effects)")
      return
    }
    #expect(notice.adopted == [lease.job] && notice.epoch == 1)
    queue.pass(ms: 25_000)
    #expect(queue.complete(back.call, lease).recorded(by: back.call) == [lease.job])
    #expect(queue.state(lease.job)?.state == .succeeded && queue.core.departed.isEmpty)
  }

  @Test func workerThatStaysAwayLosesItsJobsAfterTheGrace() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.send(.callEnded(worker.call))
    queue.pass(ms: 9_999)
    #expect(queue.state(lease.job)?.state == .leased)
    queue.pass(ms: 1)
    #expect(queue.state(lease.job)?.workersLost == 1)
    let late = queue.attach(held: [lease], peer: 11)
    #expect(late.effects.revoked(from: late.call) == [lease])
  }

  @Test func newProcessOfAWorkerShowsThatTheFormerDied() throws {
    let queue = CoreHarness()
    let worker = queue.attach(process: 1)
    let lease = try leased(queue)
    queue.send(.callEnded(worker.call))
    queue.attach(process: 2, peer: 11)
    #expect(queue.ledger.job(lease.job)?.attempts.map(\.end) == [.lost])
    #expect(queue.state(lease.job)?.workersLost == 1)
  }

  @Test func secondSessionOfAWorkerIDFencesTheFirst() throws {
    let queue = CoreHarness()
    let first = queue.attach()
    let kept = try leased(queue)
    let onItsWay = try leased(queue)
    let second = queue.attach(held: [kept], peer: 11)
    #expect(second.effects.failure(of: first.call)?.code == .aborted)
    // The fenced session has nothing more to say.
    #expect(queue.complete(first.call, kept).isEmpty)
    #expect(queue.state(kept.job)?.state == .leased)
    // The same process may still have the outcome of a job that it does not list.
    #expect(queue.complete(second.call, onItsWay).recorded(by: second.call) == [onItsWay.job])
    #expect(queue.state(onItsWay.job)?.state == .succeeded)
    #expect(queue.core.sessions.count == 1 && queue.core.departed.isEmpty)
  }

  @Test func releasedJobKeepsItsAttemptAndItsPlace() throws {
    let queue = CoreHarness()
    let worker = queue.attach(jobs: 1)
    let lease = try leased(queue)
    queue.pass(ms: 10)
    let later = try queue.submit(NewJob())
    let effects = queue.send(.work(worker.call, WorkReport(released: [lease])))
    #expect(effects.recorded(by: worker.call) == [lease.job] && effects.assigned.isEmpty)
    #expect(queue.state(lease.job)?.attemptsSpent == 0)
    #expect(queue.ledger.job(lease.job)?.attempts.map(\.end) == [.released])
    // Given back, it waits for another worker first, and is before what came later.
    #expect(queue.pass(ms: 1_000).assigned.map(\.job) == [lease.job])
    #expect(queue.state(later)?.state == .ready && queue.state(lease.job)?.attempt == 2)
  }

  @Test func drainedWorkerGetsNothingNewAndItsStreamEnds() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    let call = queue.call()
    let effects = queue.send(.drainWorker(call, workerID: "w1"))
    #expect(effects.notices(to: worker.call).map(\.drain) == [true])
    let next = try queue.submit(NewJob())
    #expect(queue.state(next)?.state == .ready)
    #expect(queue.complete(worker.call, lease).isFinished(worker.call))
    #expect(queue.core.sessions.isEmpty && queue.core.workerPeers.isEmpty)
    let unknown = queue.call()
    let error = queue.send(.drainWorker(unknown, workerID: "w1")).failure(of: unknown)
    #expect(error?.code == .notFound)
  }

  @Test func workerThatDrainsGivesBackWhatItHolds() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    let effects = queue.send(
      .work(worker.call, WorkReport(released: [lease], draining: true)))
    #expect(effects.isFinished(worker.call))
    #expect(queue.state(lease.job)?.state == .ready && queue.state(lease.job)?.attemptsSpent == 0)
  }

  @Test func progressOnAnUnknownLeaseIsRevoked() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let stranger = Lease(job: JobID(shard: 0, sequence: 99), attempt: 1, epoch: 1)
    let effects = queue.send(.work(worker.call, WorkReport(progress: [stranger])))
    #expect(effects.revoked(from: worker.call) == [stranger])
  }

  @Test func tooManyWorkersAndUnknownModelsAreRefused() {
    let queue = CoreHarness { $0.workersMax = 1 }
    let wrong = queue.attach("w0", models: ["no"])
    #expect(wrong.effects.failure(of: wrong.call)?.code == .notFound)
    queue.attach("w1")
    let second = queue.attach("w2", peer: 11)
    #expect(second.effects.failure(of: second.call)?.code == .resourceExhausted)
  }
}
