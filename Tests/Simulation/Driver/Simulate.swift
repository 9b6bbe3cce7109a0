public import ArgumentParser
import Dispatch
import Foundation
public import Simulation
import Synchronization

/// Runs many seeds, or shows one.
@main
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Simulates the queue under faults, from seeds.",
    discussion: "Ends with 1, and the least trace of the first seed that fails, if one does.")

  @Option(help: "How many seeds.")
  var seeds: UInt64 = 10_000

  @Option(help: "The first of them.")
  var from: UInt64 = 1

  @Option(help: "How many at once.")
  var jobs = 2

  @Flag(help: "Go on after a seed that fails, and say of each what was wrong.")
  var keepGoing = false

  @Option(help: "Only this one.")
  var seed: UInt64?

  @Flag(help: "Print every event of the one seed.")
  var trace = false

  @Option(help: "Faults to leave out, separated by commas.")
  var without = ""

  @Option(help: "A fault made on purpose, which must be found.")
  var mutation: Mutation?

  mutating func run() throws {
    var simulation = Simulation()
    simulation.mutation = mutation
    for name in without.split(separator: ",") {
      guard let fault = Fault(rawValue: String(name)) else {
        let names = Fault.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--without: there is no fault \"\(name)\", only \(names)")
      }
      simulation.without.insert(fault)
    }
    if let seed {
      try show(seed, simulation)
    } else {
      try runAll(simulation)
    }
  }

  private func show(_ seed: UInt64, _ simulation: Simulation) throws {
    var simulation = simulation
    simulation.keepsTrace = trace
    let outcome = simulation.run(seed: seed)
    for line in outcome.trace { print(line) }
    print(
      "seed \(seed): \(outcome.events) events, \(outcome.simulatedMs) ms, "
        + "\(outcome.starts) starts, \(outcome.acknowledged) jobs acknowledged, \(outcome.deliveries) deliveries"
    )
    guard let problem = outcome.problem else { return }
    print("PROBLEM \(problem)")
    throw ExitCode.failure
  }

  private struct Progress {
    var next: UInt64
    var done: UInt64 = 0
    var events = 0
    var failed: [UInt64] = []
  }

  private func runAll(_ simulation: Simulation) throws {
    let last = from + seeds
    let keepGoing = keepGoing
    let progress = Mutex(Progress(next: from))
    let started = ContinuousClock.now
    DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { _ in
      while let seed = progress.withLock({ progress -> UInt64? in
        guard progress.next < last, keepGoing || progress.failed.isEmpty else { return nil }
        defer { progress.next += 1 }
        return progress.next
      }) {
        let outcome = simulation.run(seed: seed)
        progress.withLock { progress in
          progress.done += 1
          progress.events += outcome.events
          if let problem = outcome.problem {
            progress.failed.append(seed)
            if keepGoing { print("seed \(seed): \(problem)") }
          }
          if progress.done.isMultiple(of: 10_000) { print("\(progress.done) seeds") }
        }
      }
    }
    let end = progress.withLock { $0 }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    print(
      "\(end.done) seeds from \(from), \(end.events) events, \(Int(seconds)) s, "
        + "\(Int(Double(end.done) / seconds)) seeds a second")
    guard let seed = end.failed.min() else { return }
    print(simulation.report(seed: seed))
    throw ExitCode.failure
  }
}

extension Mutation: ExpressibleByArgument {}
