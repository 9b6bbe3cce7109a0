import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreStructuresTests {
  @Test func heapGivesItsElementsInOrderAndForgetsDeadOnes() {
    var random = SplitMix64(seed: 3)
    var heap = LazyHeap<Int>()
    let all = (0..<1_000).shuffled(using: &random)
    for element in all { heap.push(element) { $0 % 10 == 0 } }
    #expect(heap.elements.count < 1_000)
    var popped: [Int] = []
    while let element = heap.pop() { popped.append(element) }
    #expect(popped == popped.sorted())
    #expect(popped.filter { $0 % 10 == 0 } == Array(stride(from: 0, to: 1_000, by: 10)))
  }

  @Test func heapStaysWithinTwiceWhatIsLive() {
    var heap = LazyHeap<Int>()
    for element in 0..<100_000 { heap.push(element) { $0 > element - 100 } }
    #expect(heap.elements.count <= 400)
  }

  @Test func fifoKeepsItsOrderAndGivesRoomBack() {
    var fifo = Fifo<Int>()
    var expected = 0
    for element in 0..<1_000 {
      fifo.append(element)
      if element % 3 != 0 {
        #expect(fifo.popFirst() == expected)
        expected += 1
      }
    }
    #expect(fifo.count == 1_000 - expected)
    while let element = fifo.popFirst() {
      #expect(element == expected)
      expected += 1
    }
    #expect(expected == 1_000 && fifo.isEmpty)
  }

  @Test func retryDelayDoublesUpToItsCapWithFullJitter() {
    let policy = RetryPolicy(baseMs: 1_000, capMs: 60_000)
    var random = SplitMix64(seed: 5)
    for (attempt, windowMs) in [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (90, 60_000)] {
      let delays = (0..<500).map { _ in
        policy.delayMs(
          attempt: UInt32(attempt), isBudgetSpent: false, retryAfterMs: nil, random: &random)
      }
      let most = delays.max() ?? 0
      #expect(most <= Int64(windowMs) && most > Int64(windowMs) * 9 / 10)
      #expect((delays.min() ?? .max) < Int64(windowMs) / 10)
    }
    let asked = policy.delayMs(
      attempt: 1, isBudgetSpent: false, retryAfterMs: 5_000, random: &random)
    #expect(asked == 5_000)
  }

  @Test func spentRetryBudgetDrawsFromTheLongestWindow() {
    var budget = RetryBudget(tokensMax: 10, ratio: 0.1)
    for _ in 0..<4 { budget.recordFailure() }
    #expect(!budget.isSpent)
    budget.recordFailure()
    #expect(budget.isSpent)
    budget.recordSuccess()
    #expect(!budget.isSpent)

    let policy = RetryPolicy(baseMs: 1_000, capMs: 60_000)
    var random = SplitMix64(seed: 6)
    let delays = (0..<500).map { _ in
      policy.delayMs(attempt: 1, isBudgetSpent: true, retryAfterMs: nil, random: &random)
    }
    #expect((delays.max() ?? 0) > 50_000)
  }

  @Test func memoryOfEndedJobsIsGivenBackWithoutAnyWorker() throws {
    let queue = CoreHarness()
    for round in 0..<2_000 {
      let id = try queue.submit(NewJob(tenant: "t\(round)", deadlineMs: 3_600_000))
      queue.send(.cancel(queue.call(), id))
    }
    #expect(queue.core.jobs.isEmpty && queue.core.tenants.isEmpty)
    #expect(queue.core.timers.elements.count < 200)
    #expect(queue.core.models[0].ready.laneCount == 0)
    #expect(queue.core.models[0].ready.ringCount < 200)
  }
}
