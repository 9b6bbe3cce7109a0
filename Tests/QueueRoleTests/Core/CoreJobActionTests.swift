import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreJobActionTests {
  private func cancel(_ ids: [JobID], _ queue: CoreHarness) throws -> [JobAction] {
    let call = queue.call()
    return try queue.send(.cancelJobs(call, ids)).answer(to: call, CancelJobsResponse.self).outcomes
  }

  private func purge(
    _ ids: [JobID], undelivered: Bool = false, _ queue: CoreHarness
  ) throws -> [JobAction] {
    let call = queue.call()
    return try queue.send(.purgeJobs(call, ids, undelivered: undelivered))
      .answer(to: call, PurgeJobsResponse.self).outcomes
  }

  @Test func jobsOfAnyTenantAreCancelledAndTheirWorkersTold() throws {
    let queue = CoreHarness()
    let worker = queue.attach(jobs: 1)
    let leased = try queue.submit(NewJob(tenant: "a"))
    let ready = try queue.submit(NewJob(tenant: "b"))
    let call = queue.call()
    let effects = queue.send(.cancelJobs(call, [leased, ready]))
    let outcomes = try effects.answer(to: call, CancelJobsResponse.self).outcomes
    #expect(outcomes.map(\.jobID) == [leased.rawValue, ready.rawValue])
    #expect(outcomes.map(\.state) == [.cancelled, .cancelled])
    #expect(outcomes.allSatisfy { !$0.hasError })
    #expect(effects.revoked(from: worker.call).map(\.job) == [leased])
    #expect(queue.state(leased)?.state == .cancelled && queue.state(ready)?.state == .cancelled)
  }

  @Test func cancellingWhatHasEndedOrNeverWasSaysSo() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob())
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    let outcomes = try cancel(
      [id, JobID(shard: 0, sequence: 99), JobID(shard: 7, sequence: 1)], queue)
    #expect(outcomes[0].state == .succeeded)
    #expect(outcomes[0].error.code == StatusCode.failedPrecondition.rawValue)
    #expect(outcomes[1].state == .unspecified)
    #expect(outcomes[1].error.code == StatusCode.notFound.rawValue)
    #expect(outcomes[2].error.details.reason == "OTHER_SHARD")
  }

  @Test func purgedJobIsGoneWithItsKey() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(key: "k"))
    queue.send(.cancel(queue.call(), id))
    let outcomes = try purge([id, JobID(shard: 0, sequence: 99)], queue)
    #expect(outcomes[0].state == .unspecified && !outcomes[0].hasError)
    #expect(outcomes[1].error.code == StatusCode.notFound.rawValue)
    #expect(queue.ledger.job(id) == nil)
    #expect(try queue.submit(NewJob(key: "k")) != id)
  }

  @Test func liveJobIsNeverPurged() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob())
    let outcome = try purge([id], undelivered: true, queue)[0]
    #expect(outcome.state == .ready)
    #expect(outcome.error.code == StatusCode.failedPrecondition.rawValue)
    #expect(queue.state(id)?.state == .ready)
  }

  @Test func undeliveredOutcomeIsPurgedOnlyWhenAskedFor() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(channel: "c"))
    queue.send(.cancel(queue.call(), id))
    let refused = try purge([id], queue)[0]
    #expect(refused.state == .cancelled)
    #expect(refused.error.code == StatusCode.failedPrecondition.rawValue)
    #expect(!(try purge([id], undelivered: true, queue)[0].hasError))
    #expect(queue.ledger.job(id) == nil && queue.core.deliveries.isEmpty)
    let consumer = queue.consumer(credit: 5)
    #expect(consumer.effects.delivered(to: consumer.call).isEmpty)
  }

  @Test func acknowledgedOutcomeIsPurged() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(channel: "c"))
    queue.send(.cancel(queue.call(), id))
    let consumer = queue.consumer(credit: 5)
    queue.send(.receiveMore(consumer.call, credit: 0, acknowledged: [Acknowledgement(id, 0)]))
    #expect(!(try purge([id], queue)[0].hasError))
    #expect(queue.ledger.job(id) == nil)
  }

  /// The ledger answered the retry's read before the job went.
  @Test func retryThatReadAPurgedJobDoesNotBringItBack() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob())
    queue.send(.cancel(queue.call(), id))
    let stored = try #require(queue.ledger.job(id))
    queue.holdsReads = true
    let retry = queue.call()
    let purge = queue.call()
    queue.send(.purgeJobs(purge, [id], undelivered: false))
    queue.send(.retryJobs(retry, [id]))
    queue.send(.read(ReadTicket(rawValue: 1), .job(stored)))
    #expect(queue.ledger.job(id) == nil)
    let effects = queue.send(.read(ReadTicket(rawValue: 2), .job(stored)))
    let outcome = try effects.answer(to: retry, RetryJobsResponse.self).outcomes[0]
    #expect(outcome.error.details.reason == "JOB_CHANGED")
    #expect(queue.core.jobs.isEmpty && queue.core.changedMeanwhile.isEmpty)
  }

  @Test func purgeThatReadAJobBeforeItsRetryLeavesIt() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob())
    queue.send(.cancel(queue.call(), id))
    let stored = try #require(queue.ledger.job(id))
    queue.holdsReads = true
    let purge = queue.call()
    queue.send(.retryJobs(queue.call(), [id]))
    queue.send(.purgeJobs(purge, [id], undelivered: true))
    queue.send(.read(ReadTicket(rawValue: 1), .job(stored)))
    let effects = queue.send(.read(ReadTicket(rawValue: 2), .job(stored)))
    let outcome = try effects.answer(to: purge, PurgeJobsResponse.self).outcomes[0]
    #expect(outcome.state == .ready && outcome.error.details.reason == "JOB_STATE")
    #expect(queue.state(id)?.state == .ready)
  }

  /// Memory holds nothing of the job any more: it was brought back and has ended again.
  @Test func retryThatReadAJobBeforeItSucceededLeavesIt() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob(maxAttempts: 1))
    queue.fail(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    let stored = try #require(queue.ledger.job(id))
    queue.holdsReads = true
    let second = queue.call()
    queue.send(.retryJobs(queue.call(), [id]))
    queue.send(.retryJobs(second, [id]))
    queue.send(.read(ReadTicket(rawValue: 1), .job(stored)))
    queue.complete(worker.call, Lease(job: id, attempt: 2, epoch: 1))
    #expect(queue.state(id)?.state == .succeeded)
    let effects = queue.send(.read(ReadTicket(rawValue: 2), .job(stored)))
    let outcome = try effects.answer(to: second, RetryJobsResponse.self).outcomes[0]
    #expect(outcome.error.details.reason == "JOB_CHANGED")
    #expect(queue.state(id)?.state == .succeeded)
  }
}
