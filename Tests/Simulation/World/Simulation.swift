@testable import QueueRole

/// A deterministic simulation of the queue: from a seed a world of producers, workers, consumers,
/// operators, connections and a disk, in which everything fails that may fail. The same seed makes
/// the same world on every machine: there is no clock, no thread and no order of a hash table in
/// it.
public struct Simulation: Sendable {
  /// What became of a seed.
  public struct Outcome: Sendable {
    public let seed: UInt64
    /// What was violated, and when; nil: nothing.
    public let problem: String?
    /// Events in words, where they were asked for.
    public let trace: [String]
    public let events: Int
    public let simulatedMs: Int64
    /// How often the queue's process was started.
    public let starts: Int
    public let acknowledged: Int
    public let succeeded: Int
    public let deliveries: Int
  }

  /// Faults that are left out.
  public var without: Set<Fault> = []
  public var mutation: Mutation?
  public var keepsTrace = false

  public init() {}

  public func run(seed: UInt64) -> Outcome {
    let world = World(
      Scenario(seed: seed, without: without), mutation: mutation, keepsTrace: keepsTrace)
    world.run()
    let counts = world.history.counts
    return Outcome(
      seed: seed, problem: world.problem, trace: world.trace, events: world.eventCount,
      simulatedMs: world.nowMs, starts: world.host.starts, acknowledged: counts.acknowledged,
      succeeded: counts.succeeded, deliveries: counts.deliveries)
  }

  /// Leaves out one fault after another for as long as the seed still fails, and keeps the trace of
  /// what remains.
  public func minimized(seed: UInt64) -> (simulation: Simulation, outcome: Outcome) {
    var least = self
    for fault in Fault.allCases where !least.without.contains(fault) {
      var fewer = least
      fewer.without.insert(fault)
      if fewer.run(seed: seed).problem != nil { least = fewer }
    }
    least.keepsTrace = true
    return (least, least.run(seed: seed))
  }

  /// The command that shows the seed again.
  public func command(seed: UInt64) -> String {
    let faults = without.map(\.rawValue).sorted().joined(separator: ",")
    return "swift run -c release simulate --seed \(seed) --trace"
      + (faults.isEmpty ? "" : " --without \(faults)")
      + (mutation.map { " --mutation \($0.rawValue)" } ?? "")
  }

  /// For whoever has to mend it: the seed, the least world in which it still fails, the end of its
  /// trace and the command that replays it.
  public func report(seed: UInt64, traceLines: Int = 60) -> String {
    let (least, outcome) = minimized(seed: seed)
    let lines =
      ["seed \(seed): \(outcome.problem ?? "no problem")"] + outcome.trace.suffix(traceLines)
      + ["replay: \(least.command(seed: seed))"]
    return lines.joined(separator: "\n")
  }
}
