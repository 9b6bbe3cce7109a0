import ArgumentParser
import Foundation
import RerankdClient
import RerankdProtocol
import ZeroMQ

/// Where the queue is, and how long it may take.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: """
      The queue's endpoint for producers. Environment: RERANKD_QUEUE. Default: \
      \(DefaultEndpoint.producers)
      """)
  var endpoint: String?

  @Option(help: "How long an answer may take: 250ms, 30s, 5m.")
  var timeout = TimeArgument(.seconds(30))

  @Option(help: "Wait so long for a queue that is not there yet.")
  var wait = TimeArgument(.zero)

  @Option(name: [.short, .long], help: "How to print: table, json or jsonl.")
  var output = OutputFormat.table

  var printer: Printer { Printer(format: output) }

  /// Runs the body with a client and closes it; failures become one line and an exit code.
  func withClient(_ body: (QueueClient) async throws -> Void) async throws {
    try await CommandFailure.reporting {
      let client = try QueueClient(configuration())
      let end: Result<Void, any Error>
      do {
        try await waitForQueue(client)
        try await body(client)
        end = .success(())
      } catch {
        end = .failure(error)
      }
      await client.close()
      try end.get()
    }
  }

  private func configuration() throws -> ClientConfiguration {
    let text =
      endpoint ?? ProcessInfo.processInfo.environment["RERANKD_QUEUE"]
      ?? DefaultEndpoint.producers
    do {
      var configuration = try ClientConfiguration(endpoint: text)
      configuration.callTimeout = timeout.duration
      return configuration
    } catch {
      throw InputError("--endpoint: \(error)")
    }
  }

  private func waitForQueue(_ client: QueueClient) async throws {
    let deadline = ContinuousClock.now + wait.duration
    while ContinuousClock.now < deadline {
      do {
        _ = try await client.models()
        return
      } catch where error.code == .unavailable {
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }
}

/// A time on the command line: "250ms", "30s", "5m", "2h", "7d".
struct TimeArgument: ExpressibleByArgument {
  var duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    let units: [(String, Int64)] = [
      ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    for (unit, milliseconds) in units where argument.hasSuffix(unit) {
      guard let count = Int64(argument.dropLast(unit.count)), count >= 0,
        count <= Int64.max / milliseconds
      else { continue }
      duration = .milliseconds(count * milliseconds)
      return
    }
    return nil
  }

  var defaultValueDescription: String {
    let milliseconds = duration.wholeMilliseconds
    return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
  }
}
