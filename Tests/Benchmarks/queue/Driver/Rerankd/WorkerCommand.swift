import ArgumentParser
import CallTransport
import Logging
import WorkerRole
import ZeroMQ

/// The worker that the benchmark starts as a process of its own: the real `Worker` with an engine
/// that scores at once.
struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Serves a queue with the null engine.", shouldDisplay: false)

  @Option var queue: String
  @Option var lanes: Int

  func run() async throws {
    let worker = try Worker(
      WorkerConfiguration(lanes: lanes), engines: [NullEngine()],
      queue: ConnectionConfiguration(endpoint: Endpoint(queue)), version: "benchmark",
      logger: Logger(label: "worker"))
    try await worker.run()
  }
}
