import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

/// Who may send a request to a backend, and when.
@Suite struct CorePermitTests {
  private func job(_ queue: CoreHarness) throws -> Lease {
    Lease(job: try queue.submit(NewJob()), attempt: 1, epoch: 1)
  }

  @Test func noMoreRequestsAreUnderWayThanTheBackendTakes() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 2))
    let worker = queue.attach()
    let lease = try job(queue)
    let granted = (1...4).flatMap {
      queue.ask(worker.call, $0, for: lease).granted(to: worker.call)
    }
    #expect(granted == [1, 2])
    #expect(try queue.hub().requestsUnderWay == 2 && queue.hub().requestsWaiting == 2)
    #expect(queue.report(worker.call, 2).granted(to: worker.call) == [3])
    #expect(queue.report(worker.call, 1, unused: true).granted(to: worker.call) == [4])
    #expect(try queue.hub().requests == 3 && queue.hub().tokens == 30)
  }

  @Test func workersTakeTurnsAndEachIsServedInTheOrderInWhichItAsked() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1))
    let greedy = queue.attach("greedy", jobs: 1, peer: 10)
    let first = try job(queue)
    let modest = queue.attach("modest", jobs: 1, peer: 11)
    let second = try job(queue)
    for id in 1...5 as ClosedRange<UInt64> { queue.ask(greedy.call, id, for: first) }
    queue.ask(modest.call, 1, for: second)
    queue.ask(modest.call, 2, for: second)
    var order: [String] = []
    var holder: (CallRef, UInt64) = (greedy.call, 1)
    while true {
      let effects = queue.report(holder.0, holder.1)
      if let id = effects.granted(to: greedy.call).first {
        order.append("g\(id)")
        holder = (greedy.call, id)
      } else if let id = effects.granted(to: modest.call).first {
        order.append("m\(id)")
        holder = (modest.call, id)
      } else {
        break
      }
    }
    #expect(order == ["g2", "m1", "g3", "m2", "g4", "g5"])
  }

  @Test func requestsAMinuteHoldWorkBackUntilTheirTime() throws {
    let queue = CoreHarness.withHub(BackendLimits(requestsPerMinuteMax: 6)) {
      $0.deadlineDefaultMs = 10_000_000
      $0.leaseMs = 10_000_000
    }
    let worker = queue.attach()
    let lease = try job(queue)
    for id in 1...30 as ClosedRange<UInt64> { queue.ask(worker.call, id, for: lease) }
    var times: [Int64] = []
    while times.count < 30 {
      let effects = queue.pass(ms: 100)
      for id in effects.granted(to: worker.call) {
        times.append(queue.nowMs)
        queue.report(worker.call, id)
      }
      try #require(queue.nowMs < 2_000_000)
    }
    for time in times {
      #expect(times.filter { (time...time + 60_000).contains($0) }.count <= 6)
    }
  }

  @Test func tokensAMinuteHoldWorkBackAndALargeRequestComesToItsTurn() throws {
    let queue = CoreHarness.withHub(BackendLimits(tokensPerMinuteMax: 1_000)) {
      $0.deadlineDefaultMs = 10_000_000
      $0.leaseMs = 10_000_000
    }
    let worker = queue.attach()
    let lease = try job(queue)
    queue.pass(ms: 60_000)
    queue.ask(worker.call, 1, for: lease, tokens: 90)
    queue.ask(worker.call, 2, for: lease, tokens: 50_000)
    queue.ask(worker.call, 3, for: lease, tokens: 1)
    #expect(try queue.hub().requestsWaiting == 2)
    var granted: [UInt64] = []
    while granted.count < 2, queue.nowMs < 2_000_000 {
      granted += queue.pass(ms: 1_000).granted(to: worker.call)
    }
    // Nobody overtakes it.
    #expect(granted == [2, 3])
  }

  @Test func endedSessionGivesBackItsPlacesAndNotItsRate() throws {
    let queue = CoreHarness.withHub(
      BackendLimits(requestsPerMinuteMax: 20, concurrentRequestsMax: 2))
    queue.pass(ms: 60_000)
    let leaving = queue.attach("leaving", jobs: 1, peer: 10)
    let first = try job(queue)
    let staying = queue.attach("staying", jobs: 1, peer: 11)
    let second = try job(queue)
    for id in 1...3 as ClosedRange<UInt64> { queue.ask(leaving.call, id, for: first) }
    queue.ask(staying.call, 1, for: second)
    #expect(try queue.hub().requestsUnderWay == 2 && queue.hub().requestsWaiting == 2)
    queue.send(.callEnded(leaving.call))
    #expect(try queue.hub().requestsUnderWay == 0 && queue.hub().requestsWaiting == 1)
    // The burst of two is spent: the third waits for its time.
    #expect(queue.pass(ms: 10_000).granted(to: staying.call) == [1])
  }

  @Test func workerThatLeavesAfterItsLastJobMakesRoomAtOnce() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1))
    let leaving = queue.attach("leaving", jobs: 1, peer: 10)
    let first = try job(queue)
    let staying = queue.attach("staying", jobs: 1, peer: 11)
    let second = try job(queue)
    queue.ask(leaving.call, 1, for: first)
    queue.ask(staying.call, 1, for: second)
    queue.send(.work(leaving.call, WorkReport(draining: true)))
    let effects = queue.complete(leaving.call, first)
    #expect(effects.isFinished(leaving.call))
    #expect(effects.granted(to: staying.call) == [1])
  }

  @Test func jobThatIsTakenAwayWaitsNoMore() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1))
    let worker = queue.attach()
    let first = try job(queue)
    let second = try job(queue)
    queue.ask(worker.call, 1, for: first)
    queue.ask(worker.call, 2, for: second)
    queue.send(.cancel(queue.call(), second.job))
    #expect(try queue.hub().requestsWaiting == 0)
    // Its request is under way still, as far as anybody knows, until the worker says that it ended.
    queue.send(.cancel(queue.call(), first.job))
    #expect(try queue.hub().requestsUnderWay == 1)
    queue.report(worker.call, 1, unfinished: true)
    #expect(try queue.hub().requestsUnderWay == 0)
  }

  @Test func permitThatNobodyReportsIsLostInTheEnd() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1)) {
      $0.permitHeldMaxMs = 20_000
    }
    let worker = queue.attach()
    let lease = try job(queue)
    queue.ask(worker.call, 1, for: lease)
    queue.ask(worker.call, 2, for: lease)
    #expect(queue.pass(ms: 19_999).granted(to: worker.call) == [])
    #expect(queue.pass(ms: 1).granted(to: worker.call) == [2])
    // A report that comes after all is of nothing.
    #expect(queue.report(worker.call, 1).granted(to: worker.call) == [])
    #expect(try queue.hub().requestsUnderWay == 1)
  }

  @Test func onlyTheHolderOfAJobMayAskForIt() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach("w1", jobs: 1, peer: 10)
    let lease = try job(queue)
    let other = queue.attach("w2", jobs: 1, peer: 11)
    #expect(queue.ask(other.call, 1, for: lease).refused(to: other.call) == [1])
    #expect(queue.ask(worker.call, 1, for: lease).granted(to: worker.call) == [1])
    let unknown = PermitAsk(id: 9, backend: "nobody", tokens: 1, job: lease.job)
    let effects = queue.send(.work(worker.call, WorkReport(permitsAsked: [unknown])))
    #expect(effects.refused(to: worker.call) == [9])
  }

  @Test func fullLineRefuses() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1)) {
      $0.permitsWaitingMax = 2
    }
    let worker = queue.attach()
    let lease = try job(queue)
    let refused = (1...5).flatMap {
      queue.ask(worker.call, $0, for: lease).refused(to: worker.call)
    }
    #expect(refused == [4, 5])
  }
}
