import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreDispatchTests {
  /// Submits while nobody is there, then lets one worker take one job at a time.
  private func order(_ queue: CoreHarness, models: [String] = ["m1"], bytes: Int = 1 << 20) throws
    -> [JobID]
  {
    let worker = queue.attach(models: models, jobs: 1, bytes: bytes)
    var order: [JobID] = []
    var next = worker.effects.assigned
    while let lease = next.first {
      order.append(lease.job)
      next = queue.complete(worker.call, lease).assigned
    }
    return order
  }

  @Test func tenantsTakeTurnsHoweverManyJobsOneHas() throws {
    let queue = CoreHarness()
    let many = try (0..<4).map { _ in try queue.submit(NewJob(tenant: "many")) }
    let few = try (0..<2).map { _ in try queue.submit(NewJob(tenant: "few")) }
    #expect(try order(queue) == [many[0], few[0], many[1], few[1], many[2], many[3]])
  }

  @Test func higherPriorityGoesFirstAndEqualOnesInOrderOfSubmission() throws {
    let queue = CoreHarness()
    let low = try queue.submit(NewJob(priority: -1))
    let first = try queue.submit(NewJob())
    let second = try queue.submit(NewJob())
    let high = try queue.submit(NewJob(priority: 5))
    #expect(try order(queue) == [high, first, second, low])
  }

  @Test func waitingOutweighsPriority() throws {
    let queue = CoreHarness { $0.ageingMsPerPriority = 1_000 }
    let old = try queue.submit(NewJob(priority: 0))
    queue.pass(ms: 3_001)
    let urgent = try queue.submit(NewJob(priority: 3))
    let moreUrgent = try queue.submit(NewJob(priority: 4))
    #expect(try order(queue) == [moreUrgent, old, urgent])
  }

  @Test func modelsOfOneWorkerTakeTurns() throws {
    let queue = CoreHarness()
    let first = try (0..<2).map { _ in try queue.submit(NewJob(model: "m1")) }
    let second = try (0..<2).map { _ in try queue.submit(NewJob(model: "m2")) }
    let mixed = try order(queue, models: ["m1", "m2"])
    #expect(Set(mixed.prefix(2)) == [first[0], second[0]])
    #expect(mixed.count == 4)
  }

  @Test func jobsGoOnlyToWorkersThatServeTheirModel() throws {
    let queue = CoreHarness()
    queue.attach("w1", models: ["m2"])
    let id = try queue.submit(NewJob(model: "m1"))
    #expect(queue.state(id)?.state == .ready)
    let right = queue.attach("w2", models: ["m1", "unknown"], peer: 11)
    #expect(right.effects.assigned(to: right.call).map(\.job) == [id])
  }

  @Test func leastLoadedWorkerGetsTheNextJobAndOrdersAreGrouped() throws {
    let queue = CoreHarness()
    let small = queue.attach("small", jobs: 2, peer: 10)
    let large = queue.attach("large", jobs: 4, peer: 11)
    let call = queue.call()
    let effects = queue.send(.submit(call, (0..<8).map { _ in .valid(NewJob()) }))
    #expect(effects.assigned(to: small.call).count == 2)
    #expect(effects.assigned(to: large.call).count == 4)
    let assigns = effects.filter { if case .assign = $0 { true } else { false } }
    #expect(assigns.count == 2)
    #expect(try queue.status().models[0].ready == 2)
  }

  @Test func creditInBytesIsNeverExceeded() throws {
    let queue = CoreHarness()
    let worker = queue.attach(jobs: 8, bytes: 100)
    let first = try queue.submit(NewJob(bytes: 60))
    let second = try queue.submit(NewJob(bytes: 60))
    #expect(queue.state(first)?.state == .leased && queue.state(second)?.state == .ready)
    let effects = queue.complete(worker.call, Lease(job: first, attempt: 1, epoch: 1))
    #expect(effects.assigned.map(\.job) == [second])
  }

  @Test func oversizedJobGoesAloneToAnIdleWorker() throws {
    let queue = CoreHarness()
    let worker = queue.attach(jobs: 8, bytes: 100)
    let small = try queue.submit(NewJob(bytes: 10))
    let large = try queue.submit(NewJob(bytes: 1_000))
    // The worker makes room for it: later small jobs do not overtake it there.
    let later = try queue.submit(NewJob(bytes: 10))
    #expect(queue.state(large)?.state == .ready && queue.state(later)?.state == .ready)
    let lease = Lease(job: small, attempt: 1, epoch: 1)
    #expect(queue.complete(worker.call, lease).assigned.map(\.job) == [large])
    let largeLease = Lease(job: large, attempt: 1, epoch: 1)
    #expect(queue.complete(worker.call, largeLease).assigned.map(\.job) == [later])
  }

  @Test func workerThatMakesRoomDoesNotHoldUpTheOthers() throws {
    let queue = CoreHarness()
    let first = queue.attach("w1", jobs: 8, bytes: 100, peer: 10)
    let second = queue.attach("w2", jobs: 8, bytes: 100, peer: 11)
    let small = try (0..<2).map { _ in try queue.submit(NewJob(bytes: 50)) }
    let large = try queue.submit(NewJob(bytes: 90))
    let later = try queue.submit(NewJob(bytes: 50))
    #expect(queue.state(large)?.state == .ready)
    #expect(queue.state(later)?.state == .leased)
    // When the job for which room is made ends, the worker takes others again.
    queue.send(.cancel(queue.call(), large))
    let last = try queue.submit(NewJob(bytes: 50))
    #expect(queue.state(last)?.state == .leased)
    #expect([first.call, second.call].count == small.count)
  }

  @Test func largeJobOfOneTenantDoesNotBlockAnother() throws {
    let queue = CoreHarness()
    queue.attach("w1", jobs: 8, bytes: 100, peer: 10)
    queue.attach("w2", jobs: 8, bytes: 100, peer: 11)
    for _ in 0..<2 { _ = try queue.submit(NewJob(tenant: "a", bytes: 50)) }
    for _ in 0..<3 { _ = try queue.submit(NewJob(tenant: "a", bytes: 90)) }
    let other = try queue.submit(NewJob(tenant: "b", bytes: 50))
    #expect(queue.state(other)?.state == .leased)
  }

  @Test func delayedJobBecomesReadyAtItsTime() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob(notBeforeMs: 500))
    #expect(queue.state(id)?.state == .delayed && queue.core.nextWakeMs == queue.nowMs + 500)
    #expect(queue.pass(ms: 499).assigned.isEmpty)
    #expect(queue.pass(ms: 1).assigned(to: worker.call).map(\.job) == [id])
  }

  @Test func pausedQueueTakesJobsAndHandsNoneOut() throws {
    let queue = CoreHarness()
    queue.attach()
    queue.send(.setPaused(queue.call(), true))
    let id = try queue.submit(NewJob())
    #expect(queue.state(id)?.state == .ready)
    #expect(try queue.status().paused)
    #expect(queue.send(.setPaused(queue.call(), false)).assigned.map(\.job) == [id])
  }

  @Test func deadlineEndsWaitingAndLeasedJobs() throws {
    let queue = CoreHarness()
    let worker = queue.attach(jobs: 1)
    let leased = try queue.submit(NewJob(deadlineMs: 1_000))
    let waiting = try queue.submit(NewJob(deadlineMs: 1_000))
    let effects = queue.pass(ms: 1_000)
    #expect(queue.state(leased)?.state == .expired && queue.state(waiting)?.state == .expired)
    #expect(queue.state(leased)?.endCode == StatusCode.deadlineExceeded.rawValue)
    #expect(effects.revoked(from: worker.call) == [Lease(job: leased, attempt: 1, epoch: 1)])
    let next = try queue.submit(NewJob())
    #expect(queue.state(next)?.state == .leased)
  }
}
