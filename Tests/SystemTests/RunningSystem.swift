import CallTransport
import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import Synchronization
import TestSupport

/// A queue and its workers, started from the binaries that were built with the tests, on ipc
/// sockets and a ledger in a folder of their own. Only processes that it started are ever
/// signalled, and what still runs when a test ends is killed.
final class RunningSystem: Sendable {
  let folder: TemporaryFolder
  private let shard: Int
  private let ledger: String
  private let state = Mutex(State())

  private struct State {
    var identity: Identity?
    var processes: [(name: String, process: ChildProcess)] = []
  }

  /// Short times, so that tests of what happens after them are quick.
  static let briskTimes = """
    queue:
      workers: { heartbeat: 500ms, lease: 3s, reattach_grace: 2s, lost_max: 100, release_rest: 50ms }
      retries: { base: 20ms, cap: 200ms }
      backends: { rest: 500ms, rest_cap: 1s, credentials_rest: 60s }
      replies: { lease: 2s, attempts_max: 1000 }
      jobs: { attempts_default: 100 }
      sockets: { peer_silence: 5s }
    worker:
      lanes: 1
    """

  /// Runs a test's body in a fresh system; when it throws, what the processes said last is printed.
  static func run(
    configuration: String = briskTimes, workers: Int = 1,
    _ body: (RunningSystem) async throws -> Void
  ) async throws {
    let system = try RunningSystem(configuration: configuration)
    do {
      try await system.startQueue()
      for number in 0..<workers { try system.startWorker("w\(number)") }
      if workers > 0 { try await system.waitForWorkers(workers) }
      try await body(system)
    } catch {
      print(system.lastLogLines)
      throw error
    }
  }

  /// - Parameters:
  ///   - shard: which of several queues this one is.
  ///   - ledger: its file, in the system's folder.
  init(
    configuration: String = briskTimes, shard: Int = 0, ledger: String = "ledger.sqlite"
  ) throws {
    self.shard = shard
    self.ledger = ledger
    folder = try TemporaryFolder("system")
    try folder.write(configuration, to: "rerankd.yaml")
  }

  deinit {
    for (_, process) in state.withLock(\.processes) where process.exit == nil {
      // One that a test stopped must be able to end.
      process.signal(SIGKILL)
    }
  }

  var producersEndpoint: String { "ipc://" + folder.path("producers") }
  var workersEndpoint: String { "ipc://" + folder.path("workers") }
  var intakeEndpoint: String { "ipc://" + folder.path("intake") }
  var ledgerPath: String { folder.path(ledger) }

  // MARK: Processes

  /// Of systems that run beside one another on this machine each shows its own metrics.
  private static let ownMetricsPorts = Dictionary(
    uniqueKeysWithValues: ["QUEUE", "WORKER", "GATEWAY"].map {
      ("RERANKD_\($0)__METRICS__LISTEN", "127.0.0.1:0")
    })

  var queueArguments: [String] {
    [
      "--config", folder.path("rerankd.yaml"), "--ledger", ledgerPath,
      "--producer-endpoint", producersEndpoint, "--worker-endpoint", workersEndpoint,
      "--intake-endpoint", intakeEndpoint, "--shard", "\(shard)",
    ]
  }

  @discardableResult
  func start(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> ChildProcess {
    let process = try ChildProcess(
      "rerankd", arguments: arguments,
      environment: Self.ownMetricsPorts.merging(environment) { $1 })
    state.withLock { $0.processes.append((name, process)) }
    return process
  }

  /// Returns when the queue answers.
  @discardableResult
  func startQueue() async throws -> ChildProcess {
    let queue = try start(
      "queue", ["queue"] + queueArguments,
      environment: ["RERANKD_QUEUE__LEDGER__BACKUP__FOLDER": folder.path("backups")])
    try await withClient { client in
      try await eventually("an answer from the queue", timeout: .seconds(60)) {
        guard queue.exit == nil else {
          throw TimeoutError(description: "the queue ended: \(queue.text(of: .error))")
        }
        return (try? await client.models()) != nil
      }
    }
    return queue
  }

  @discardableResult
  func startWorker(_ id: String) throws -> ChildProcess {
    try start(
      id,
      [
        "worker", "--config", folder.path("rerankd.yaml"), "--queue", workersEndpoint, "--id", id,
      ])
  }

  /// The latest process of that name.
  func process(_ name: String) throws -> ChildProcess {
    guard let found = state.withLock({ $0.processes.last { $0.name == name } }) else {
      throw TimeoutError(description: "no process \(name) was started")
    }
    return found.process
  }

  func waitForWorkers(_ count: Int) async throws {
    try await withClient { client in
      try await eventually("\(count) attached workers", timeout: .seconds(60)) {
        try await client.workers().count == count
      }
    }
  }

  func kill(_ name: String) async throws {
    let process = try process(name)
    process.signal(SIGKILL)
    guard try await process.waitForExit() == .signal(SIGKILL) else {
      throw TimeoutError(description: "\(name) ended before it was killed")
    }
  }

  /// By SIGTERM, as a service manager does.
  func end(_ name: String) async throws {
    let process = try process(name)
    process.signal(SIGTERM)
    let exit = try await process.waitForExit(timeout: .seconds(60))
    guard exit == .status(0) else {
      throw BrokenPromise("\(name) was asked to end, and ended with \(exit)")
    }
  }

  var lastLogLines: String {
    state.withLock(\.processes).suffix(8).map { name, process in
      let lines = process.text(of: .error).split(separator: "\n").suffix(20)
      let end = process.exit.map { "\($0)" } ?? "running"
      return "--- \(name), process \(process.processID), \(end)\n" + lines.joined(separator: "\n")
    }
    .joined(separator: "\n")
  }

  // MARK: Clients

  /// For a queue that asks for keys.
  func speak(_ identity: Identity) {
    state.withLock { $0.identity = identity }
  }

  func client(timeout: Duration = .seconds(60)) throws -> QueueClient {
    var configuration = try ClientConfiguration(endpoint: producersEndpoint)
    configuration.callTimeout = timeout
    if let identity = state.withLock(\.identity) {
      configuration.connection.security = try identity.security()
    }
    return try QueueClient(configuration)
  }

  @discardableResult
  func withClient<Value>(_ body: (QueueClient) async throws -> Value) async throws -> Value {
    let client = try client()
    do {
      let value = try await body(client)
      await client.close()
      return value
    } catch {
      await client.close()
      throw error
    }
  }

  /// Runs rerankctl to its end.
  func control(
    _ arguments: [String], environment: [String: String] = [:], inputFile: String? = nil
  ) async throws -> ControlOutput {
    try await ControlOutput.of(
      arguments, environment: controlEnvironment.merging(environment) { $1 }, inputFile: inputFile)
  }

  /// Starts rerankctl and leaves it running.
  func startControl(
    _ arguments: [String], environment: [String: String] = [:], on terminal: PseudoTerminal? = nil
  ) throws -> ChildProcess {
    // Whatever runs the tests may have turned colours off.
    let own = ["TERM": "xterm-256color", "NO_COLOR": ""].merging(controlEnvironment) { $1 }
    return try ChildProcess(
      "rerankctl", arguments: arguments, environment: own.merging(environment) { $1 },
      terminal: terminal)
  }

  /// Where the queue is, and who asks.
  private var controlEnvironment: [String: String] {
    let identity = state.withLock(\.identity)?.environment ?? [:]
    return identity.merging(["RERANKD_QUEUE": producersEndpoint]) { $1 }
  }
}

/// What rerankctl printed, and how it ended.
struct ControlOutput {
  var exit: ChildProcess.Exit
  var output: String
  var error: String

  /// Runs rerankctl to its end.
  static func of(
    _ arguments: [String], environment: [String: String] = [:], inputFile: String? = nil
  ) async throws -> ControlOutput {
    try await of(
      ChildProcess(
        "rerankctl", arguments: arguments, environment: environment, inputFile: inputFile))
  }

  /// Of a rerankctl that was started some other way.
  static func of(_ process: ChildProcess) async throws -> ControlOutput {
    let exit = try await process.waitForExit(timeout: .seconds(120))
    return ControlOutput(
      exit: exit, output: process.text(of: .output), error: process.text(of: .error))
  }

  /// The printed JSON.
  func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(output.utf8))
  }
}
