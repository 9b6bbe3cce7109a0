import Foundation
import RerankdClient
import RerankdProtocol
import Scoring

/// `rerankd queue` with a ledger in the data folder, and a worker with the null engine.
struct RerankdServer: Sendable {
  let queue: ServerProcess
  let worker: ServerProcess
  /// Where producers connect.
  let endpoint: String

  /// The worker takes four jobs a lane; together that covers the most that is ever in flight.
  private static let lanes = 256
  private static let readySeconds = 20.0

  /// Starts both, beside this program's own executable, and waits until the worker is attached.
  static func start(in folder: DataFolder, retentionJobs: Int) async throws -> RerankdServer {
    let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let rerankd = own.deletingLastPathComponent().appending(path: "rerankd")
    guard FileManager.default.isExecutableFile(atPath: rerankd.path) else {
      throw BenchmarkError("\(rerankd.path) is not built: swift build -c release")
    }
    let configuration = folder.path("rerankd.yaml")
    try text(retentionJobs: retentionJobs)
      .write(toFile: configuration, atomically: true, encoding: .utf8)

    let producers = try Loopback.freePort()
    let workers = try Loopback.freePort()
    let queue = try ServerProcess(
      "rerankd-queue", executable: rerankd.path,
      arguments: [
        "queue", "--config", configuration, "--ledger", folder.path("ledger.sqlite"),
        "--producer-endpoint", "tcp://127.0.0.1:\(producers)",
        "--worker-endpoint", "tcp://127.0.0.1:\(workers)", "--intake-endpoint", "off",
      ], in: folder)
    try await queue.waitUntilListening(on: producers)
    let worker = try ServerProcess(
      "rerankd-worker", executable: own.path,
      arguments: ["worker", "--queue", "tcp://127.0.0.1:\(workers)", "--lanes", "\(lanes)"],
      in: folder)
    let server = RerankdServer(
      queue: queue, worker: worker, endpoint: "tcp://127.0.0.1:\(producers)")
    try await server.waitForWorker()
    return server
  }

  /// Retention looks every second and keeps few jobs, so that it runs from early on.
  private static func text(retentionJobs: Int) -> String {
    """
    models:
      - name: \(NullEngine.model.name)
        context_tokens: \(NullEngine.model.contextTokens)
        reserved_tokens: \(NullEngine.model.reservedTokens)
    queue:
      ledger:
        retention:
          count: \(retentionJobs)
          interval: 1s
    """
  }

  private func waitForWorker() async throws {
    let client = try QueueClient(endpoint: endpoint)
    let deadline = monotonicNanoseconds() + Int64(Self.readySeconds * 1e9)
    while true {
      if let status = try? await client.status(), status.workers > 0 { break }
      guard monotonicNanoseconds() < deadline, queue.isRunning, worker.isRunning else {
        throw BenchmarkError(
          "no worker attached to rerankd\nqueue:\n\(queue.logTail)\nworker:\n\(worker.logTail)")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    await client.close()
  }

  func ledgerFigures() async throws -> Report.LedgerFigures {
    let client = try QueueClient(endpoint: endpoint)
    let status = try await client.status()
    await client.close()
    return Report.LedgerFigures(status)
  }

  func end() async throws {
    try await worker.end()
    try await queue.end()
  }
}

extension Report.LedgerFigures {
  fileprivate init(_ status: StatusResponse) {
    self.init(
      commits: status.ledger.commits, commitP50Microseconds: status.ledger.commitP50Us,
      commitP99Microseconds: status.ledger.commitP99Us,
      fileMiB: Measurement.mebibytes(Int(status.ledger.fileBytes)),
      walMiB: Measurement.mebibytes(Int(status.ledger.walBytes)),
      succeeded: status.counters.succeeded, retried: status.counters.retried,
      redeliveries: status.counters.redeliveries)
  }
}
