import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreAccessTests {
  private func attach(
    _ queue: CoreHarness, _ key: String?, peer: UInt64 = 10, jobs: Int = 8, held: [Lease] = []
  ) -> CallRef {
    let call = queue.call(peer: peer)
    queue.send(
      .attach(
        call,
        AttachRequest(
          workerID: key.map { "\($0)/w" } ?? "w", models: ["m1"], creditJobs: jobs,
          creditBytes: 1 << 20, held: held, version: "1", host: "h", processID: 1, keyName: key)))
    return call
  }

  private func lease(_ job: JobID, _ attempt: UInt32 = 1, _ queue: CoreHarness) -> Lease {
    Lease(job: job, attempt: attempt, epoch: queue.core.epoch)
  }

  @Test func revokedWorkersJobsAreGivenToOthersAtOnceAndUnspent() throws {
    let queue = CoreHarness()
    let revoked = attach(queue, "a")
    let job = try queue.submit(NewJob())
    let second = try queue.submit(NewJob())
    let other = attach(queue, "b", peer: 11)
    let effects = queue.send(.callRevoked(revoked))
    #expect(Set(effects.assigned) == [lease(job, 2, queue), lease(second, 2, queue)])
    #expect(queue.state(job)?.attemptsSpent == 0)
    #expect(queue.ledger.job(job)?.attempts.map(\.end) == [.released])
    // Nothing is left that it could come back to.
    queue.send(.callEnded(revoked))
    #expect(queue.pass(ms: 15_000).assigned.isEmpty)
    queue.complete(other, lease(job, 2, queue))
    #expect(queue.state(job)?.state == .succeeded)
  }

  @Test func revokedWorkerIsGivenNothingOfWhatItHeld() throws {
    let queue = CoreHarness()
    let revoked = attach(queue, "a")
    let job = try queue.submit(NewJob())
    #expect(queue.send(.callRevoked(revoked)).assigned.isEmpty)
    #expect(queue.state(job)?.state == .ready)
    #expect(try queue.status().workers == 0)
  }

  @Test func otherCallsOfARevokedKeyEndAsTheyWould() throws {
    let queue = CoreHarness()
    let call = queue.call()
    queue.send(.rerank(call, .valid(NewJob()), cancelWithCall: true))
    queue.send(.callRevoked(call))
    #expect(try queue.status().counters.cancelled == 1)
  }

  @Test func workerWithAKeyIsBelievedAboutLeasesOfItsOwnAlone() throws {
    let queue = CoreHarness()
    _ = attach(queue, "a", jobs: 1)
    let job = try queue.submit(NewJob())
    let other = attach(queue, "b", peer: 11)
    // Not one that another holds, nor a later or earlier one.
    for attempt in [0, 1, 2] as [UInt32] { queue.complete(other, lease(job, attempt, queue)) }
    queue.complete(other, Lease(job: job, attempt: 1, epoch: queue.core.epoch - 1))
    queue.fail(other, lease(job, 1, queue), retryable: false)
    #expect(queue.state(job)?.state == .leased)
    #expect(try queue.status().counters.supersededOutcomes == 5)
  }

  @Test func lateResultOfTheWorkersOwnLostLeaseCounts() throws {
    let queue = CoreHarness()
    let slow = attach(queue, "a")
    let job = try queue.submit(NewJob())
    queue.pass(ms: 31_000)
    #expect(queue.ledger.job(job)?.attempts.map(\.end) == [.lost])
    let other = attach(queue, "b", peer: 11)
    queue.complete(other, lease(job, 1, queue))
    #expect(queue.state(job)?.state.isTerminal == false)
    queue.complete(slow, lease(job, 1, queue))
    #expect(queue.state(job)?.state == .succeeded)
  }

  @Test func afterARestartAWorkerTakesUpItsOwnAndNobodyElseDoes() throws {
    let queue = CoreHarness()
    _ = attach(queue, "a")
    let job = try queue.submit(NewJob())
    let held = lease(job, 1, queue)
    queue.restart()
    let thief = attach(queue, "b", peer: 11, held: [held])
    queue.complete(thief, held)
    #expect(queue.state(job)?.state == .leased)
    let owner = attach(queue, "a", held: [held])
    queue.complete(owner, held)
    #expect(queue.state(job)?.state == .succeeded)
  }

  @Test func tenantMaySubmitAMinutesWorthAtOnceAndThenAtItsRate() throws {
    let queue = CoreHarness { $0.tenantJobsPerMinuteMax = 3 }
    for _ in 0..<3 { _ = try queue.submit(NewJob(tenant: "t")) }
    let refused = try #require(try queue.submitted([.valid(NewJob(tenant: "t"))]).first)
    #expect(refused.error.details.reason == "TENANT_RATE")
    #expect(refused.error.code == StatusCode.resourceExhausted.rawValue)
    #expect(CallError(status: refused.error)?.retryAfter == .seconds(20))
    // Others have their own.
    _ = try queue.submit(NewJob(tenant: "u"))
    queue.pass(ms: 19_999)
    #expect(try queue.submitted([.valid(NewJob(tenant: "t"))]).first?.hasError == true)
    queue.pass(ms: 1)
    _ = try queue.submit(NewJob(tenant: "t"))
    #expect(try queue.submitted([.valid(NewJob(tenant: "t"))]).first?.hasError == true)
  }
}

@Suite struct TenantRateTests {
  @Test func tenantsThatRestAreForgotten() {
    var rates = TenantRates()
    var nowMs: Int64 = 1
    for tenant in 0..<10_000 {
      nowMs += 1_000
      rates.count("\(tenant)", limit: 60, nowMs: nowMs)
    }
    #expect(rates.tenantsKept < 3_000)
    #expect(rates.waitMs("9999", limit: 60, nowMs: nowMs) == nil)
  }
}
