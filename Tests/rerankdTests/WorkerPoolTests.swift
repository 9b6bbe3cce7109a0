import Testing

@testable import rerankd

@Suite struct WorkerPoolTests {
  private let start = ContinuousClock.now

  private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

  private func pool(_ wanted: Int) -> WorkerPool {
    var pool = WorkerPool(workersMax: 4, crashesMax: 3)
    _ = pool.want(wanted, at: start)
    return pool
  }

  @Test func asManyAsAreWantedAreStarted() {
    var pool = WorkerPool(workersMax: 4, crashesMax: 3)
    #expect(pool.want(2, at: start) == [.start(1), .start(2)])
    #expect(pool.want(3, at: start) == [.start(3)])
    #expect(pool.want(3, at: start) == [])
    #expect(pool.running == 3)
  }

  @Test func noMoreThanTheMostAreStarted() {
    var pool = WorkerPool(workersMax: 4, crashesMax: 3)
    #expect(pool.want(100, at: start).count == 4)
    #expect(pool.wanted == 4)
    #expect(pool.want(-1, at: start).count == 4)
    #expect(pool.wanted == 0)
  }

  @Test func thoseBeyondTheWantedCountAreDrainedAndNotStartedAgain() {
    var pool = pool(3)
    #expect(pool.want(1, at: at(1)) == [.drain(2), .drain(3)])
    #expect(pool.running == 1)
    #expect(pool.ended(3, at: at(2)) == [])
    #expect(pool.ended(2, at: at(2)) == [])
    #expect(pool.nextTick == nil)
  }

  @Test func oneThatIsWantedAgainWhileItDrainsStartsWhenItHasEnded() {
    var pool = pool(2)
    #expect(pool.want(1, at: at(1)) == [.drain(2)])
    #expect(pool.want(2, at: at(2)) == [])
    #expect(pool.ended(2, at: at(3)) == [.start(2)])
    #expect(pool.running == 2)
  }

  @Test func oneThatEndsByItselfRestsBeforeItStartsAgain() {
    var pool = pool(1)
    #expect(pool.ended(1, at: at(1)) == [.rest(1, .milliseconds(200))])
    #expect(pool.tick(at: at(1)) == [])
    #expect(pool.nextTick == at(1) + .milliseconds(200))
    #expect(pool.tick(at: at(2)) == [.start(1)])
    #expect(pool.nextTick == nil)
  }

  @Test func oneThatRestsAndIsNotWantedAnyMoreIsForgotten() {
    var pool = pool(2)
    _ = pool.ended(2, at: at(1))
    #expect(pool.want(1, at: at(1)) == [])
    #expect(pool.tick(at: at(60)) == [])
    #expect(pool.want(2, at: at(60)) == [.start(2)])
  }

  @Test func oneThatFailsOverAndOverIsSaidToOnce() {
    var pool = pool(1)
    var said: [WorkerPool.Action] = []
    for second in 1...6 {
      let actions = pool.ended(1, at: at(second * 40))
      said += actions.filter { if case .failsOverAndOver = $0 { true } else { false } }
      #expect(pool.tick(at: at(second * 40 + 39)) == [.start(1)])
    }
    #expect(said == [.failsOverAndOver(1, ends: 3)])
  }

  @Test func aLongRunForgivesFormerFailures() {
    var pool = pool(1)
    _ = pool.ended(1, at: at(1))
    _ = pool.tick(at: at(2))
    #expect(pool.ended(1, at: at(100)) == [.rest(1, .milliseconds(200))])
  }

  @Test func theEndDrainsAllAndStartsNone() {
    var pool = pool(3)
    _ = pool.ended(3, at: at(1))
    #expect(pool.end() == [.drain(1), .drain(2)])
    #expect(pool.end() == [])
    #expect(pool.want(4, at: at(2)) == [])
    #expect(pool.tick(at: at(60)) == [])
    #expect(pool.ended(1, at: at(61)) == [])
    #expect(!pool.isDone)
    #expect(pool.ended(2, at: at(62)) == [])
    #expect(pool.isDone)
  }

  @Test func theEndOfAnUnknownWorkerMeansNothing() {
    var pool = pool(1)
    #expect(pool.ended(7, at: at(1)) == [])
    #expect(pool.running == 1)
  }
}
