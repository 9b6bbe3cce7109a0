import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreRecoveryTests {
  @Test func waitingJobsAndTheirTimesComeBack() throws {
    let queue = CoreHarness()
    let ready = try queue.submit(NewJob(deadlineMs: 5_000))
    let delayed = try queue.submit(NewJob(notBeforeMs: 2_000))
    queue.pass(ms: 500)
    queue.restart()
    #expect(queue.core.jobs.count == 2 && queue.core.epoch == 2)
    let worker = queue.attach()
    #expect(worker.effects.assigned == [Lease(job: ready, attempt: 1, epoch: 2)])
    #expect(queue.pass(ms: 1_499).assigned.isEmpty)
    #expect(queue.pass(ms: 1).assigned.map(\.job) == [delayed])
    queue.pass(ms: 3_000)
    #expect(queue.state(ready)?.state == .expired)
    #expect(try queue.submit(NewJob()).sequence == 3)
  }

  @Test(arguments: [-10_000_000, 10_000_000] as [Int64])
  func wallClockThatJumpedChangesNoMoreThanWhatRemains(_ jumpMs: Int64) throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(notBeforeMs: 2_000, deadlineMs: 5_000))
    queue.wallMs += jumpMs
    queue.restart()
    let job = try #require(queue.core.jobs[id])
    #expect(job.deadlineMs - queue.nowMs == (jumpMs < 0 ? 5_000 : 0))
    guard case .delayed(let untilMs) = job.phase else {
      Issue.record("the job is not delayed")
      return
    }
    #expect(untilMs - queue.nowMs == (jumpMs < 0 ? 2_000 : 0))
  }

  @Test func leaseFromBeforeTheRestartIsAdopted() throws {
    let queue = CoreHarness()
    queue.attach(process: 4)
    let lease = Lease(job: try queue.submit(NewJob()), attempt: 1, epoch: 1)
    queue.restart()
    let back = queue.attach(held: [lease], process: 4, peer: 11)
    #expect(back.effects.revoked(from: back.call).isEmpty && back.effects.assigned.isEmpty)
    queue.pass(ms: 29_000)
    queue.send(.work(back.call, WorkReport(progress: [lease])))
    queue.pass(ms: 29_000)
    queue.complete(back.call, lease)
    #expect(queue.state(lease.job)?.state == .succeeded)
  }

  @Test func leaseOfAnotherWorkerOrAttemptIsNotAdopted() throws {
    let queue = CoreHarness()
    queue.attach()
    let lease = Lease(job: try queue.submit(NewJob()), attempt: 1, epoch: 1)
    queue.restart()
    let stranger = queue.attach("w2", held: [lease], peer: 11)
    #expect(stranger.effects.revoked(from: stranger.call) == [lease])
    var wrong = lease
    wrong.attempt = 2
    let back = queue.attach(held: [wrong], peer: 12)
    #expect(back.effects.revoked(from: back.call) == [wrong])
    #expect(queue.state(lease.job)?.state == .leased)
  }

  @Test func leaseThatNobodyAdoptsIsLostWithoutBlamingTheJob() throws {
    let queue = CoreHarness()
    queue.attach()
    let id = try queue.submit(NewJob())
    queue.restart()
    queue.pass(ms: 10_000)
    let state = try #require(queue.state(id))
    #expect(state.state == .delayed && state.attemptsSpent == 1 && state.workersLost == 0)
    #expect(queue.ledger.job(id)?.attempts.map(\.end) == [.lost])
  }

  @Test func outcomeSentDuringTheRestartIsTaken() throws {
    let queue = CoreHarness()
    queue.attach(process: 4)
    let lease = Lease(job: try queue.submit(NewJob()), attempt: 1, epoch: 1)
    queue.restart()
    let back = queue.attach(process: 4, peer: 11)
    #expect(queue.complete(back.call, lease).recorded(by: back.call) == [lease.job])
    #expect(queue.ledger.job(lease.job)?.attempts.map(\.end) == [.succeeded])
    #expect(queue.core.departed.isEmpty)
  }

  @Test func pendingDeliveriesComeBackWithTheirCounts() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob(channel: "c"))
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    let consumer = queue.consumer(credit: 10)
    #expect(queue.pass(ms: 30_000).delivered(to: consumer.call).count == 1)
    queue.restart()
    let next = queue.consumer(credit: 10)
    let orders = next.effects.delivered(to: next.call)
    #expect(orders.map(\.outcome.job) == [id] && orders.map(\.deliveryAttempt) == [3])
  }

  @Test func pauseOutlivesARestart() throws {
    let queue = CoreHarness()
    queue.send(.setPaused(queue.call(), true))
    queue.restart()
    #expect(try queue.status().paused)
    queue.send(.setPaused(queue.call(), false))
    queue.restart()
    #expect(try !queue.status().paused)
  }

  @Test func jobsOfAModelThatLeftTheCatalogueWaitForTheirDeadline() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(model: "m2", deadlineMs: 1_000))
    queue.configuration.models.removeLast()
    queue.restart()
    let refused = try queue.submitted([.valid(NewJob(model: "m2"))])[0]
    #expect(refused.error.code == StatusCode.notFound.rawValue)
    #expect(try queue.status().models.map(\.ready) == [0, 1])
    queue.pass(ms: 1_000)
    #expect(queue.state(id)?.state == .expired)
  }

  @Test func keysOfLiveJobsAreKnownAfterARestart() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(key: "k"))
    queue.restart()
    let again = try queue.submitted([.valid(NewJob(key: "k"))])[0]
    #expect(again.duplicate && again.jobID == id.rawValue)
  }
}
