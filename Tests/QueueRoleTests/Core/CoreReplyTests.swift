import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreReplyTests {
  /// Submits jobs with a reply channel and lets a worker end them in order.
  private func ended(_ queue: CoreHarness, _ count: Int, resultBytes: Int = 1) throws -> [JobID] {
    let worker = queue.attach(jobs: 100)
    return try (0..<count).map { _ in
      let id = try queue.submit(NewJob(channel: "c"))
      queue.complete(
        worker.call, Lease(job: id, attempt: 1, epoch: queue.core.epoch),
        Array(repeating: 7, count: resultBytes))
      return id
    }
  }

  private func acknowledge(_ queue: CoreHarness, _ call: CallRef, _ ids: [JobID]) -> [QueueEffect] {
    queue.send(.receiveMore(call, credit: 0, acknowledged: ids.map { Acknowledgement($0, 1) }))
  }

  @Test func outcomesGoOutInOrderWithinCredit() throws {
    let queue = CoreHarness()
    let ids = try ended(queue, 3)
    let consumer = queue.consumer(credit: 2)
    let orders = consumer.effects.delivered(to: consumer.call)
    #expect(orders.map(\.outcome.job) == [ids[0], ids[1]])
    #expect(orders.map(\.deliveryAttempt) == [1, 1])
    let more = queue.send(
      .receiveMore(consumer.call, credit: 1, acknowledged: [Acknowledgement(ids[0], 1)]))
    #expect(more.delivered(to: consumer.call).map(\.outcome.job) == [ids[2]])
    #expect(queue.ledger.job(ids[0])?.delivery?.state == .acknowledged)
    #expect(queue.ledger.job(ids[1])?.delivery?.state == .pending)
  }

  @Test func consumerHoldsFewBytesHoweverMuchCreditItHas() throws {
    let queue = CoreHarness { $0.deliveryBytesMax = 250 }
    let ids = try ended(queue, 6, resultBytes: 100)
    let consumer = queue.consumer(credit: 1_000)
    // The third may exceed the bound, so that one always goes out.
    let first = consumer.effects.delivered(to: consumer.call).map(\.outcome.job)
    #expect(first == Array(ids[..<3]))
    #expect(acknowledge(queue, consumer.call, [ids[1]]).delivered(to: consumer.call).count == 1)
    let rest = acknowledge(queue, consumer.call, [ids[0], ids[2], ids[3]])
    #expect(rest.delivered(to: consumer.call).map(\.outcome.job) == Array(ids[4...]))
    // Another consumer has bytes of its own, and those of one that goes are free.
    let more = try ended(queue, 3, resultBytes: 100)
    let other = queue.consumer(credit: 1_000)
    #expect(other.effects.delivered(to: other.call).map(\.outcome.job) == Array(more[1...]))
    let left = queue.send(.callEnded(consumer.call))
    #expect(left.delivered(to: other.call).count == 1)
  }

  @Test func resultLargerThanTheBoundGoesAlone() throws {
    let queue = CoreHarness { $0.deliveryBytesMax = 50 }
    let ids = try ended(queue, 2, resultBytes: 100)
    let consumer = queue.consumer(credit: 10)
    #expect(consumer.effects.delivered(to: consumer.call).map(\.outcome.job) == [ids[0]])
    let next = acknowledge(queue, consumer.call, [ids[0]])
    #expect(next.delivered(to: consumer.call).map(\.outcome.job) == [ids[1]])
  }

  @Test func boundOnBytesHoldsWhenDeliveriesAreTakenBack() throws {
    let queue = CoreHarness { $0.deliveryBytesMax = 150 }
    let ids = try ended(queue, 4, resultBytes: 100)
    let consumer = queue.consumer(credit: 1_000)
    #expect(consumer.effects.delivered(to: consumer.call).count == 2)
    let again = queue.pass(ms: 30_000).delivered(to: consumer.call)
    #expect(again.map(\.outcome.job) == Array(ids[..<2]))
    #expect(again.map(\.deliveryAttempt) == [2, 2])
  }

  @Test func recoveredResultCountsAsTheLargest() throws {
    let queue = CoreHarness { $0.deliveryBytesMax = 16 << 20 }
    let ids = try ended(queue, 4)
    queue.restart()
    let consumer = queue.consumer(credit: 1_000)
    let first = consumer.effects.delivered(to: consumer.call).map(\.outcome.job)
    #expect(first == Array(ids[..<2]))
    let rest = acknowledge(queue, consumer.call, first)
    #expect(rest.delivered(to: consumer.call).map(\.outcome.job) == Array(ids[2...]))
  }

  @Test func acknowledgementIsAnsweredOnceRecorded() throws {
    let queue = CoreHarness()
    let ids = try ended(queue, 1)
    let consumer = queue.consumer(credit: 5)
    let unknown = JobID(shard: 0, sequence: 77)
    let effects = acknowledge(queue, consumer.call, [unknown, ids[0], ids[0]])
    let recorded = effects.compactMap {
      if case .deliveriesRecorded(consumer.call, let ids) = $0 { ids } else { nil }
    }
    #expect(recorded == [ids])
    #expect(effects.contains { if case .forgetResult(ids[0]) = $0 { true } else { false } })
    #expect(queue.core.deliveries.isEmpty)
  }

  @Test func otherChannelsAndTenantsNeitherSeeNorAcknowledge() throws {
    let queue = CoreHarness()
    let ids = try ended(queue, 1)
    for other in [queue.consumer(tenant: "u", credit: 5), queue.consumer(channel: "d", credit: 5)] {
      #expect(other.effects.delivered(to: other.call).isEmpty)
      _ = acknowledge(queue, other.call, ids)
    }
    #expect(queue.ledger.job(ids[0])?.delivery?.state == .pending)
  }

  @Test func consumersOfAChannelCompete() throws {
    let queue = CoreHarness()
    let (one, two) = (queue.consumer(credit: 2), queue.consumer(credit: 2))
    _ = try ended(queue, 4)
    #expect(queue.core.deliveries.count == 4)
    for call in [one.call, two.call] {
      guard case .consumer(let consumer)? = queue.core.calls[call] else {
        Issue.record("the consumer is gone")
        continue
      }
      #expect(consumer.held.count == 2 && consumer.credit == 0)
    }
  }

  @Test func unacknowledgedOutcomeIsSentAgainAndParkedAtLast() throws {
    let queue = CoreHarness { $0.deliveryAttemptsMax = 3 }
    let ids = try ended(queue, 1)
    let consumer = queue.consumer(credit: 10)
    #expect(queue.pass(ms: 29_999).delivered(to: consumer.call).isEmpty)
    #expect(queue.pass(ms: 1).delivered(to: consumer.call).map(\.deliveryAttempt) == [2])
    #expect(queue.pass(ms: 30_000).delivered(to: consumer.call).map(\.deliveryAttempt) == [3])
    #expect(queue.pass(ms: 30_000).delivered(to: consumer.call).isEmpty)
    #expect(queue.ledger.job(ids[0])?.delivery?.state == .parked)
    #expect(queue.core.deliveries.isEmpty)
    #expect(try queue.details(ids[0]).delivery == .parked)
    let counters = try queue.status().counters
    #expect(counters.redeliveries == 2 && counters.deliveriesParked == 1)
  }

  @Test func consumerThatGoesLeavesItsOutcomesToTheNextAtOnce() throws {
    let queue = CoreHarness()
    let ids = try ended(queue, 2)
    let first = queue.consumer(credit: 2)
    let second = queue.consumer(credit: 5)
    let effects = queue.send(.callEnded(first.call))
    #expect(effects.delivered(to: second.call).map(\.outcome.job) == ids)
    #expect(effects.delivered(to: second.call).map(\.deliveryAttempt) == [2, 2])
  }

  /// The consumer was told of the first end; of the second nobody was.
  @Test func lateAcknowledgementOfAnEarlierOutcomeIsNoneOfTheNext() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(channel: "c"))
    queue.send(.cancel(queue.call(), id))
    let first = queue.consumer(credit: 1)
    let early = try #require(first.effects.delivered(to: first.call).first).outcome
    queue.send(.retryJobs(queue.call(), [id]))
    queue.send(.cancel(queue.call(), id))
    queue.send(
      .receiveMore(first.call, credit: 0, acknowledged: [Acknowledgement(id, early.attempts)]))
    #expect(queue.ledger.job(id)?.delivery?.state == .pending)
    let second = queue.consumer(credit: 1)
    let late = try #require(second.effects.delivered(to: second.call).first).outcome
    queue.send(
      .receiveMore(second.call, credit: 0, acknowledged: [Acknowledgement(id, late.attempts)]))
    #expect(queue.ledger.job(id)?.delivery?.state == .acknowledged)
  }

  @Test func outcomeThatNobodyTakesIsParkedWithAge() throws {
    let queue = CoreHarness { $0.deliveryAgeMaxMs = 100_000 }
    let ids = try ended(queue, 1)
    queue.pass(ms: 100_000)
    #expect(queue.ledger.job(ids[0])?.delivery?.state == .parked)
    #expect(queue.core.deliveries.isEmpty && queue.core.channels.isEmpty)
  }

  @Test func deadJobIsDeliveredWithItsError() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob(channel: "c"))
    queue.fail(
      worker.call, Lease(job: id, attempt: 1, epoch: 1), code: .invalidArgument, retryable: false)
    let consumer = queue.consumer(credit: 1)
    let outcome = try #require(consumer.effects.delivered(to: consumer.call).first).outcome
    #expect(outcome.state == .dead && outcome.errorCode == StatusCode.invalidArgument.rawValue)
  }

  @Test func replyToIsPushedOnceBesideTheChannel() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(replyTo: "ipc:///tmp/x"))
    let effects = queue.send(.cancel(queue.call(), id))
    let pushed = effects.compactMap {
      if case .push(let endpoint, let order) = $0 { "\(endpoint) \(order.job)" } else { nil }
    }
    #expect(pushed == ["ipc:///tmp/x \(id)"])
  }
}
