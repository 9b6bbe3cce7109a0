import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

/// Thousands of random events per seed: producers, workers and consumers that do anything at any
/// moment, time that passes, and a queue that is killed. After every event the invariants of
/// `CoreSimulation.check` hold; when the faults stop, every acknowledged job has ended once.
@Suite struct CoreSimulationTests {
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func everyAcknowledgedJobEndsOnceWhateverHappens(_ seed: UInt64) {
    let simulation = CoreSimulation(seed: seed, kills: false)
    simulation.run(steps: 1_500)
    simulation.settle()
    #expect(simulation.problems.isEmpty, "seed \(seed): \(simulation.problems)")
    // It met what it is for.
    #expect(simulation.grants > 0 && simulation.closings > 0 && simulation.purges > 0)
  }

  @Test(arguments: 101...108 as ClosedRange<UInt64>)
  func noAcknowledgedJobIsLostWhenTheQueueIsKilled(_ seed: UInt64) {
    let simulation = CoreSimulation(seed: seed, kills: true)
    simulation.run(steps: 1_500)
    simulation.settle()
    #expect(simulation.problems.isEmpty, "seed \(seed): \(simulation.problems)")
    #expect(simulation.kills > 3)
  }

  @Test func sameInputsMakeTheSameEffects() {
    let runs = (0..<2).map { _ in
      let simulation = CoreSimulation(seed: 7, kills: true)
      simulation.keepsJournal = true
      simulation.run(steps: 800)
      return simulation.journal
    }
    #expect(runs[0] == runs[1])
    #expect(runs[0].count > 800)
  }
}
