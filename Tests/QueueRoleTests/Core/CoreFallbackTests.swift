import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

/// Jobs that another model may score, and what failed attempts leave to the next.
@Suite struct CoreFallbackTests {
  private func close(_ queue: CoreHarness) {
    queue.send(.setBackendPaused(queue.call(), backend: "hub", true))
  }

  @Test func jobsThatAllowItGoToTheFallbackWhileTheBackendIsClosed() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach(models: ["m1", "m2"], jobs: 20)
    close(queue)
    let strict = try queue.submit(NewJob())
    let call = queue.call()
    let effects = queue.send(.submit(call, [.valid(NewJob(fallback: true))]))
    let order = try #require(effects.orders.first)
    #expect(order.model == "m2")
    #expect(queue.state(strict)?.state == .ready)
    #expect(try queue.status().counters.fallbacks == 1)
    queue.complete(worker.call, order.lease)
    #expect(queue.state(order.lease.job)?.state == .succeeded)
    #expect(queue.ledger.job(order.lease.job)?.record.model == "m1")
  }

  @Test func jobsThatWaitedAreRoutedWhenTheBackendCloses() throws {
    let queue = CoreHarness.withHub()
    let embedded = queue.attach("e", models: ["m2"], peer: 11)
    let waiting = try queue.submit(NewJob(fallback: true))
    let strict = try queue.submit(NewJob())
    #expect(queue.state(waiting)?.state == .ready)
    let effects = queue.send(.setBackendPaused(queue.call(), backend: "hub", true))
    #expect(effects.assigned(to: embedded.call).map(\.job) == [waiting])
    let remote = queue.attach("r", models: ["m1"], peer: 12)
    let opened = queue.send(.setBackendPaused(queue.call(), backend: "hub", false))
    #expect(opened.assigned(to: remote.call).map(\.job) == [strict])
  }

  // A worker that never reached the backend does not serve its models.
  @Test func jobsOfAModelWithoutWorkersGoToTheFallbackAfterAGrace() throws {
    let queue = CoreHarness.withHub()
    queue.attach("e", models: ["m2"], peer: 11)
    let strict = try queue.submit(NewJob())
    let waiting = try queue.submit(NewJob(fallback: true))
    #expect(queue.pass(ms: 9_000).orders.isEmpty)
    #expect(queue.pass(ms: 1_000).orders.map(\.lease.job) == [waiting])
    #expect(queue.state(strict)?.state == .ready)
    let remote = queue.attach("r", models: ["m1"], peer: 12)
    #expect(queue.state(strict)?.state == .leased)
    #expect(try queue.hub().state == .open)
    // The grace begins anew when the worker goes.
    queue.send(.callEnded(remote.call))
    let next = try queue.submit(NewJob(fallback: true))
    #expect(queue.state(next)?.state == .ready)
    #expect(queue.pass(ms: 10_000).orders.contains { $0.lease.job == next && $0.model == "m2" })
  }

  @Test func attemptThatMetAFaultIsFollowedByOneOnTheFallback() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach(models: ["m1", "m2"])
    let id = try queue.submit(NewJob(fallback: true))
    let lease = Lease(job: id, attempt: 1, epoch: 1)
    queue.fail(worker.call, lease, fault: .unavailable)
    #expect(try queue.hub().state == .open)
    let orders = queue.pass(ms: 2_000).orders
    #expect(orders.map(\.model) == ["m2"])
    // A failure that is no fault of the backend's goes back where the job came from.
    queue.fail(worker.call, orders[0].lease)
    #expect(queue.pass(ms: 5_000).orders.map(\.model) == ["m1"])
  }

  @Test func withoutAFallbackThatCanTheJobStaysWithItsModel() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach(models: ["m1"])
    let id = try queue.submit(NewJob(fallback: true))
    queue.fail(worker.call, Lease(job: id, attempt: 1, epoch: 1), fault: .unavailable)
    #expect(queue.pass(ms: 2_000).orders.map(\.model) == ["m1"])
  }

  @Test func firstFallbackWhoseBackendIsOpenIsTaken() throws {
    let queue = CoreHarness.withHub {
      $0.backends.append(CatalogueBackend(name: "second"))
      $0.models.append(
        CatalogueModel(
          name: "m4", contextTokens: 512, reservedTokens: 0, images: false, backend: "second"))
      $0.models[0].fallbacks = ["m4", "m2"]
    }
    queue.attach(models: ["m2", "m4"], jobs: 20)
    close(queue)
    let first = queue.send(.submit(queue.call(), [.valid(NewJob(fallback: true))]))
    #expect(first.orders.map(\.model) == ["m4"])
    queue.send(.setBackendPaused(queue.call(), backend: "second", true))
    let second = queue.send(.submit(queue.call(), [.valid(NewJob(fallback: true))]))
    #expect(second.orders.map(\.model) == ["m2"])
  }

  @Test func jobsOfTheFallbackAndOfThoseItStandsInForTakeTurns() throws {
    let queue = CoreHarness.withHub()
    close(queue)
    let own = try (0..<3).map { _ in try queue.submit(NewJob(model: "m2")) }
    let others = try (0..<3).map { _ in try queue.submit(NewJob(fallback: true)) }
    let worker = queue.attach(models: ["m2"], jobs: 1)
    var order: [JobID] = []
    var next = worker.effects.assigned
    while let lease = next.first {
      order.append(lease.job)
      next = queue.complete(worker.call, lease).assigned
    }
    #expect(order.count == 6)
    #expect(Set(order.prefix(2)) == [own[0], others[0]])
    #expect(Set(order.prefix(4)) == Set(own.prefix(2) + others.prefix(2)))
  }

  @Test func jobsGivenBackManyTimesKeepTheQueuesInOrder() throws {
    let queue = CoreHarness.withHub { $0.releaseRestMs = 0 }
    let worker = queue.attach(models: ["m1", "m2"], jobs: 1)
    let id = try queue.submit(NewJob(fallback: true))
    for attempt in 1...20 as ClosedRange<UInt32> {
      let lease = Lease(job: id, attempt: attempt, epoch: 1)
      queue.send(.setBackendPaused(queue.call(), backend: "hub", attempt.isMultiple(of: 2)))
      queue.send(.work(worker.call, WorkReport(released: [lease])))
    }
    #expect(queue.core.models[0].ready.laneCount == 0)
    #expect(queue.core.models[0].divertible.laneCount == 0)
    queue.complete(worker.call, Lease(job: id, attempt: 21, epoch: 1))
    #expect(queue.state(id)?.state == .succeeded)
  }

  // MARK: Partial scores

  @Test func scoresOfAFailedAttemptGoWithTheNextAndEndWithTheJob() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    let id = try queue.submit(NewJob())
    queue.fail(worker.call, Lease(job: id, attempt: 1, epoch: 1), scores: [1, 2])
    #expect(queue.ledger.partialScores[id]?.scores == [1, 2])
    let second = try #require(queue.pass(ms: 2_000).orders.first)
    #expect(second.hasPartialScores)
    // An attempt that adds nothing leaves what there is.
    queue.fail(worker.call, second.lease)
    let third = try #require(queue.pass(ms: 3_000).orders.first)
    #expect(third.hasPartialScores)
    queue.fail(worker.call, third.lease, scores: [1, 2, 3])
    #expect(queue.ledger.partialScores[id]?.attempt == 3)
    queue.restart()
    let again = queue.attach(process: 2)
    let fourth = try #require((again.effects + queue.pass(ms: 9_000)).orders.first)
    #expect(fourth.hasPartialScores)
    queue.complete(again.call, fourth.lease)
    #expect(queue.ledger.partialScores.isEmpty)
    #expect(queue.state(id)?.state == .succeeded)
  }

  @Test func scoresOfAFailureForGoodOrOfASupersededAttemptAreNotKept() throws {
    let queue = CoreHarness.withHub()
    let slow = queue.attach("slow", jobs: 1)
    let id = try queue.submit(NewJob(deadlineMs: 10_000_000))
    queue.pass(ms: 30_000)
    queue.fail(slow.call, Lease(job: id, attempt: 1, epoch: 1), scores: [1])
    #expect(queue.ledger.partialScores.isEmpty)
    let other = queue.attach("other", jobs: 1, peer: 11)
    queue.pass(ms: 10_000)
    let holder = queue.state(id)?.workerID == "slow" ? slow : other
    let lease = Lease(job: id, attempt: 2, epoch: 1)
    queue.fail(holder.call, lease, code: .invalidArgument, retryable: false, scores: [1])
    #expect(queue.ledger.partialScores.isEmpty)
    #expect(queue.state(id)?.state == .dead)
  }

  @Test func cancelledJobLosesItsScores() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    let id = try queue.submit(NewJob())
    queue.fail(worker.call, Lease(job: id, attempt: 1, epoch: 1), unspent: true, scores: [1])
    #expect(queue.ledger.partialScores.count == 1)
    queue.send(.cancel(queue.call(), id))
    #expect(queue.ledger.partialScores.isEmpty)
  }
}
