import AccessKeys
import ArgumentParser
import CallTransport
import Foundation
import RerankdClient
import RerankdProtocol
import ZeroMQ

/// Where the queues are, and how long they may take.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The queue's endpoint for producers.",
      discussion: """
        Of several queues (shards) give each, in the order of their numbers, or all with commas \
        between. Environment: RERANKD_QUEUE. Default: \(DefaultEndpoint.producers)
        """))
  var endpoint: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The queue's public key, where it has one: 40 characters. Environment: RERANKD_QUEUE_KEY."))
  var queueKey: String?

  @Option(
    help: ArgumentHelp(
      "Your own secret key, where the queue has a list of keys. Environment: RERANKD_KEY_FILE."),
    completion: .file())
  var keyFile: String?

  @Option(help: "How long an answer may take: 250ms, 30s, 5m.")
  var timeout = TimeArgument(.seconds(30))

  @Option(help: "Wait so long for a queue that is not there yet.")
  var wait = TimeArgument(.zero)

  @OptionGroup var display: OutputOptions

  var output: OutputFormat { display.output }
  var printer: Printer { display.printer }

  /// Runs the body with every queue that was named, and closes the connections.
  func withQueues(_ body: (Queues) async throws -> Void) async throws {
    try await withClient { try await body(Queues($0)) }
  }

  /// Runs the body with a client and closes it; failures become one line and an exit code.
  func withClient(_ body: (ShardedClient) async throws -> Void) async throws {
    try await CommandFailure.reporting { try await connected(body) }
  }

  /// As ``withClient(_:)``; failures are the caller's to tell.
  ///
  /// - Parameter other: where the queue is if nobody said.
  func connected(
    orTo other: String = DefaultEndpoint.producers, _ body: (ShardedClient) async throws -> Void
  ) async throws {
    let client = try ShardedClient(configuration(endpoints(orElse: other)))
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

  /// The queues that were said, or else the other.
  func endpoints(orElse other: String) -> [String] {
    let environment = ProcessInfo.processInfo.environment["RERANKD_QUEUE"]
    let said = endpoint.isEmpty ? [environment ?? other] : endpoint
    return said.flatMap { $0.split(separator: ",").map(String.init) }
  }

  private func configuration(_ endpoints: [String]) throws -> ShardedConfiguration {
    let environment = ProcessInfo.processInfo.environment
    let security = try SocketOptions.Security.client(
      queuePublicKey: queueKey ?? environment["RERANKD_QUEUE_KEY"],
      secretKeyFile: keyFile ?? environment["RERANKD_KEY_FILE"])
    do {
      var configuration = try ShardedConfiguration(endpoints: endpoints)
      configuration.client.callTimeout = timeout.duration
      configuration.client.connection.security = security
      // A person waits: that nothing listens there is said at once.
      configuration.client.connection.failsWhenUnreachable = true
      return configuration
    } catch {
      throw InputError("--endpoint: \(error)")
    }
  }

  private func waitForQueue(_ client: ShardedClient) async throws {
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
