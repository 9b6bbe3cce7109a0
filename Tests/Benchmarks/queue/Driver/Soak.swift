import Foundation

/// Runs many jobs and watches memory, descriptors and the ledger's size, which must not grow with
/// what has passed, and latencies beside them.
struct Soak: Sendable {
  static let inFlight = 512
  static let sampleJobs = 100_000
  /// Caches and pages have filled by then.
  static let settledJobs = 200_000

  var jobs: Int

  func run(_ peer: RerankdPeer, _ shape: LoadShape) async throws -> Report.Soak {
    let recorder = LifecycleRecorder()
    let stop = StopFlag()
    return try await withThrowingTaskGroup(of: [Report.Soak.Sample].self) { group in
      group.addTask {
        try await peer.run(shape, recorder: recorder, until: stop)
        return []
      }
      group.addTask {
        defer { stop.set() }
        return try await watch(peer.server, recorder)
      }
      let samples = try await group.reduce(into: []) { $0 += $1 }
      let settled = samples.filter { $0.jobs > Self.settledJobs }.map(\.queueMiB)
      guard let largest = settled.max(), let smallest = settled.min(), smallest > 0 else {
        throw BenchmarkError("the soak ended before memory could be compared")
      }
      return Report.Soak(samples: samples, maximumOverMinimum: largest / smallest)
    }
  }

  private func watch(
    _ server: RerankdServer, _ recorder: LifecycleRecorder
  ) async throws -> [Report.Soak.Sample] {
    var samples: [Report.Soak.Sample] = []
    let start = monotonicNanoseconds()
    for target in stride(from: Self.sampleJobs, through: jobs, by: Self.sampleJobs) {
      recorder.begin()
      while recorder.total < target { try await Task.sleep(for: .milliseconds(20)) }
      let figures = recorder.end()
      let ledger = try await server.ledgerFigures()
      let queue = try ProcessUsage.read(server.queue.processID)
      let worker = try ProcessUsage.read(server.worker.processID)
      let sample = Report.Soak.Sample(
        jobs: target, seconds: Double(monotonicNanoseconds() - start) / 1e9,
        p50Milliseconds: figures.lifecycleLatency.milliseconds(atShare: 0.5) ?? 0,
        p99Milliseconds: figures.lifecycleLatency.milliseconds(atShare: 0.99) ?? 0,
        queueMiB: Measurement.mebibytes(queue.residentBytes),
        workerMiB: Measurement.mebibytes(worker.residentBytes),
        queueFiles: queue.openFiles, workerFiles: worker.openFiles,
        ledgerMiB: ledger.fileMiB + ledger.walMiB)
      samples.append(sample)
      let line = "\(target) jobs: queue \(Int(sample.queueMiB)) MiB\n"
      FileHandle.standardError.write(Data(line.utf8))
    }
    return samples
  }
}
