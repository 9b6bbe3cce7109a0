import Simulation
import Testing

/// Whatever fails, what was promised holds; and what breaks a promise is found. A seed that fails
/// prints the least world in which it does, and the command that shows it again; a command for more
/// seeds is `swift run -c release simulate --seeds 1000000`.
@Suite struct SimulationTests {
  /// Ten thousand seeds, in parts that run beside one another.
  @Test(arguments: 0..<20)
  func promisesHoldWhateverFails(_ part: Int) {
    let simulation = Simulation()
    let first = UInt64(part * 500 + 1)
    for seed in first..<first + 500 where simulation.run(seed: seed).problem != nil {
      Issue.record("\(simulation.report(seed: seed))")
      return
    }
  }

  /// Seeds that once showed a fault of the queue.
  @Test(arguments: [1, 1_945, 2_814, 4_193, 4_253, 21_750] as [UInt64])
  func faultsFoundBeforeStayMended(_ seed: UInt64) {
    let outcome = Simulation().run(seed: seed)
    #expect(outcome.problem == nil)
  }

  @Test func sameSeedMakesTheSameWorld() {
    var simulation = Simulation()
    simulation.keepsTrace = true
    let runs = (0..<2).map { _ in simulation.run(seed: 8).trace }
    #expect(runs[0] == runs[1])
    #expect(runs[0].count > 100)
  }

  /// The worlds are not empty: jobs come, end and are delivered, and the queue dies and returns.
  @Test func worldsMeetWhatTheyAreFor() {
    let outcomes = (1...100 as ClosedRange<UInt64>).map { Simulation().run(seed: $0) }
    #expect(outcomes.reduce(0) { $0 + $1.acknowledged } > 1_000)
    #expect(outcomes.reduce(0) { $0 + $1.succeeded } > 500)
    #expect(outcomes.reduce(0) { $0 + $1.deliveries } > 500)
    #expect(outcomes.reduce(0) { $0 + $1.starts } > 150)
  }

  /// Each fault that is made on purpose shows within so many seeds.
  @Test(arguments: Mutation.allCases)
  func faultsMadeOnPurposeAreFound(_ mutation: Mutation) {
    var simulation = Simulation()
    simulation.mutation = mutation
    let found = (1...300 as ClosedRange<UInt64>).contains {
      simulation.run(seed: $0).problem != nil
    }
    #expect(found)
  }
}
