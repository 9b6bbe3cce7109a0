import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreOutcomeTests {
  private func leased(_ queue: CoreHarness, _ job: NewJob = NewJob()) throws -> Lease {
    Lease(job: try queue.submit(job), attempt: 1, epoch: queue.core.epoch)
  }

  @Test func resultIsKeptWithItsAttempt() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.complete(worker.call, lease, [1, 2])
    let stored = try #require(queue.ledger.job(lease.job))
    #expect(stored.record.state.state == .succeeded && stored.result == [1, 2])
    #expect(stored.attempts.map(\.end) == [.succeeded] && queue.core.jobs.isEmpty)
  }

  @Test func retryableFailureComesBackUntilTheAttemptsAreSpent() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    var lease = try leased(queue, NewJob(maxAttempts: 3))
    for attempt in 1...3 {
      #expect(queue.fail(worker.call, lease).recorded(by: worker.call) == [lease.job])
      if attempt < 3 {
        #expect(queue.state(lease.job)?.state == .delayed)
        let again = queue.pass(ms: 2_000).assigned
        lease = try #require(again.first)
        #expect(lease.attempt == UInt32(attempt + 1))
      }
    }
    let state = try #require(queue.state(lease.job))
    #expect(state.state == .dead && state.attemptsSpent == 3)
    #expect(state.endCode == StatusCode.unavailable.rawValue)
    #expect(state.endMessage == "backend said no")
    #expect(queue.ledger.job(lease.job)?.attempts.map(\.end) == [.failed, .failed, .failed])
  }

  @Test func failureThatNoRetryHelpsIsDeadAtOnce() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.fail(worker.call, lease, code: .invalidArgument, retryable: false)
    #expect(queue.state(lease.job)?.state == .dead)
    #expect(queue.state(lease.job)?.endCode == StatusCode.invalidArgument.rawValue)
  }

  @Test func retryAfterIsTheLeastDelay() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue, NewJob(deadlineMs: 7_200_000))
    queue.fail(worker.call, lease, code: .resourceExhausted, retryAfterMs: 3_600_000)
    #expect(queue.pass(ms: 3_599_999).assigned.isEmpty)
    #expect(queue.pass(ms: 1).assigned.map(\.job) == [lease.job])
  }

  @Test func retryBeyondTheDeadlineIsDeadAtOnce() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue, NewJob(deadlineMs: 60_000))
    queue.fail(worker.call, lease, code: .resourceExhausted, retryAfterMs: 3_600_000)
    let state = try #require(queue.state(lease.job))
    #expect(state.state == .dead && state.endCode == StatusCode.deadlineExceeded.rawValue)
    #expect(state.endMessage?.contains("backend said no") == true)
  }

  @Test func lateFailureIsIgnoredAndLateResultCounts() throws {
    let queue = CoreHarness()
    let slow = queue.attach("slow", jobs: 1)
    let stale = try leased(queue, NewJob(deadlineMs: 10_000_000))
    queue.pass(ms: 30_000)
    let other = queue.attach("other", jobs: 1, peer: 11)
    queue.pass(ms: 10_000)
    let current = Lease(job: stale.job, attempt: 2, epoch: 1)
    #expect(queue.state(stale.job)?.workerID == "other")

    #expect(queue.fail(slow.call, stale).recorded(by: slow.call) == [stale.job])
    #expect(queue.state(stale.job)?.state == .leased)
    let effects = queue.complete(slow.call, stale, [9])
    #expect(effects.recorded(by: slow.call) == [stale.job])
    #expect(effects.revoked(from: other.call) == [current])
    let stored = try #require(queue.ledger.job(stale.job))
    #expect(stored.record.state.state == .succeeded && stored.result == [9])
    #expect(stored.attempts.map(\.end) == [.lost, .cancelled, .succeeded])

    // The end is final, whoever reports what; the worker is heard all the same.
    let after = queue.fail(other.call, current)
    #expect(after.recorded(by: other.call) == [stale.job])
    #expect(queue.state(stale.job)?.state == .succeeded)
    #expect(try queue.status().counters.supersededOutcomes == 3)
  }

  @Test func resultOfALeaseThatWasNeverGivenIsIgnored() throws {
    let queue = CoreHarness()
    let worker = queue.attach(models: ["m2"])
    let id = try queue.submit(NewJob())
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 2))
    queue.complete(worker.call, Lease(job: id, attempt: 0, epoch: 0))
    #expect(queue.state(id)?.state == .ready)
  }

  @Test func cancelledJobEndsAtOnceAndItsLateOutcomeIsHistory() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    for _ in 0..<2 {
      let call = queue.call()
      let effects = queue.send(.cancel(call, lease.job))
      #expect(try effects.answer(to: call, CancelResponse.self).state == .cancelled)
    }
    #expect(queue.ledger.job(lease.job)?.attempts.map(\.end) == [.cancelled])
    #expect(queue.complete(worker.call, lease).recorded(by: worker.call) == [lease.job])
    #expect(queue.state(lease.job)?.state == .cancelled)
    let done = try leased(queue)
    queue.complete(worker.call, done)
    let call = queue.call()
    let effects = queue.send(.cancel(call, done.job))
    #expect(try effects.answer(to: call, CancelResponse.self).state == .succeeded)
    for id in [JobID(shard: 0, sequence: 99), JobID(shard: 3, sequence: 1)] {
      let unknown = queue.call()
      #expect(queue.send(.cancel(unknown, id)).failure(of: unknown)?.code == .notFound)
    }
  }

  @Test func backendThatRefusesEverybodyRestsItsModelAndBurnsNoAttempt() throws {
    let queue = CoreHarness()
    let worker = queue.attach(models: ["m1", "m2"])
    let lease = try leased(queue)
    queue.fail(
      worker.call, lease, code: .unauthenticated, retryable: false, retryAfterMs: 5_000,
      unspent: true)
    #expect(queue.state(lease.job)?.state == .ready && queue.state(lease.job)?.attemptsSpent == 0)
    let model = try queue.status().models[0]
    #expect(model.pausedMs == 5_000 && model.pauseReason == "backend said no")
    let second = try queue.submit(NewJob())
    let elsewhere = try queue.submit(NewJob(model: "m2"))
    #expect(queue.state(elsewhere)?.state == .leased && queue.state(second)?.state == .ready)
    queue.complete(worker.call, Lease(job: elsewhere, attempt: 1, epoch: 1))

    // One job goes out to see; it is refused again, then scored, and the model is open.
    let probe = queue.pass(ms: 5_000).assigned
    try #require(probe.map(\.job) == [lease.job])
    queue.fail(worker.call, probe[0], code: .unauthenticated, unspent: true)
    let next = queue.pass(ms: 30_000).assigned
    try #require(next.count == 1)
    #expect(queue.complete(worker.call, next[0]).assigned.map(\.job) == [second])
    #expect(try queue.status().models[0].pauseReason == "")
  }

  @Test func anotherProbeFollowsOneThatWasLost() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.fail(worker.call, lease, retryAfterMs: 1_000, unspent: true)
    let second = try queue.submit(NewJob())
    let probe = queue.pass(ms: 1_000).assigned
    try #require(probe.count == 1)
    let effects = queue.send(.cancel(queue.call(), probe[0].job))
    #expect(effects.assigned.map(\.job) == [second])
    #expect(try queue.status().models[0].pauseReason.isEmpty == false)
  }

  @Test func resumingEndsTheRestOfAModel() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let lease = try leased(queue)
    queue.fail(worker.call, lease, retryAfterMs: 500_000, unspent: true)
    let effects = queue.send(.setPaused(queue.call(), false))
    #expect(effects.assigned.map(\.job) == [lease.job])
  }
}
