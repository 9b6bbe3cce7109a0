import Glibc

/// A queue under measurement, its processes running.
protocol Peer: Sendable {
  /// As the table names it.
  var name: String { get }
  /// What the lifecycle costs is spent here, the benchmark's own process included.
  var processes: [PeerProcess] { get }

  /// Keeps the shape's jobs in flight until told to stop, then lets them end.
  func run(_ shape: LoadShape, recorder: LifecycleRecorder, until stop: StopFlag) async throws
}

struct PeerProcess: Sendable {
  /// "queue", "worker", "client".
  var role: String
  var processID: pid_t

  static var client: PeerProcess { PeerProcess(role: "client", processID: getpid()) }
}

/// What one peer did, and what its processes used meanwhile.
struct PeerFigures: Sendable {
  var load: LoadFigures
  var cpuSeconds: [String: Double]
  /// One sample a second, oldest first.
  var residentBytes: [String: [Int]]

  mutating func add(_ other: PeerFigures) {
    load.add(other.load)
    cpuSeconds.merge(other.cpuSeconds, uniquingKeysWith: +)
    residentBytes.merge(other.residentBytes, uniquingKeysWith: +)
  }
}

extension Peer {
  /// Runs the load, and measures it for so long after it has warmed up.
  func measure(_ shape: LoadShape, warmUpSeconds: Int, seconds: Int) async throws -> PeerFigures {
    let recorder = LifecycleRecorder()
    let stop = StopFlag()
    return try await withThrowingTaskGroup(of: PeerFigures?.self) { group in
      group.addTask {
        try await run(shape, recorder: recorder, until: stop)
        return nil
      }
      group.addTask {
        defer { stop.set() }
        try await Task.sleep(for: .seconds(warmUpSeconds))
        return try await observe(recorder, seconds: seconds)
      }
      var figures: PeerFigures?
      while let ended = try await group.next() {
        if let ended { figures = ended }
      }
      guard let figures, figures.load.lifecycles > 0 else {
        throw BenchmarkError("\(name): no job came to its end")
      }
      return figures
    }
  }

  private func observe(_ recorder: LifecycleRecorder, seconds: Int) async throws -> PeerFigures {
    var resident: [String: [Int]] = [:]
    let before = try processes.map { try ProcessUsage.read($0.processID) }
    recorder.begin()
    for _ in 0..<seconds {
      try await Task.sleep(for: .seconds(1))
      for process in processes {
        let usage = try ProcessUsage.read(process.processID)
        resident[process.role, default: []].append(usage.residentBytes)
      }
    }
    let load = recorder.end()
    var cpu: [String: Double] = [:]
    for (process, earlier) in zip(processes, before) {
      let usage = try ProcessUsage.read(process.processID)
      cpu[process.role] = usage.cpuSeconds - earlier.cpuSeconds
    }
    return PeerFigures(load: load, cpuSeconds: cpu, residentBytes: resident)
  }
}
