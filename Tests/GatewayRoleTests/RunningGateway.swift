import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Observability
import RerankdClient
import Scoring
import TestSupport
import Tracing

@testable import GatewayRole

/// A gateway on a free port of loopback, in front of a stub.
struct RunningGateway {
  let port: Int
  private let gateway: Gateway
  private let registry: MetricsRegistry

  /// What a scrape would show.
  var metrics: String {
    get async {
      await Exposition(registry, role: "gateway", version: "1") { gateway.recordMetrics() }.text()
    }
  }

  static func run(
    _ queue: StubQueue = StubQueue(), operated: [any OperatedQueue] = [StubOperatedQueue()],
    tracer: any Tracer = NoOpTracer(), configure: (inout GatewayConfiguration) -> Void = { _ in },
    _ body: (RunningGateway) async throws -> Void
  ) async throws {
    var configuration = GatewayConfiguration(
      queues: try ShardedConfiguration(endpoints: ["tcp://127.0.0.1:7801"]))
    configuration.port = 0
    configuration.shutdownGrace = .milliseconds(100)
    configure(&configuration)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let counter = BudgetCounter { name in
      guard name == "m" else { return nil }
      return CountedModel(
        model: EngineModel(
          name: "m", contextTokens: 100, reservedTokens: 10, acceptsImages: true),
        counter: EstimatedTokenCounter())
    }
    let registry = MetricsRegistry()
    let gateway = try Gateway(
      configuration, budget: counter, queue: queue, operated: operated, closeQueue: {},
      metrics: registry, tracer: tracer,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      onListening: {
        continuation.yield($0)
        continuation.finish()
      })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await gateway.run() }
      var port: Int?
      for await listening in ports { port = listening }
      guard let port else { throw TimeoutError(description: "the gateway does not listen") }
      do {
        try await body(RunningGateway(port: port, gateway: gateway, registry: registry))
      } catch {
        group.cancelAll()
        throw error
      }
      group.cancelAll()
    }
  }

  struct Reply {
    var status: Int
    var headers: HTTPHeaders
    var body: Data

    func json() throws -> [String: Any] {
      try JSONSerialization.jsonObject(with: body) as? [String: Any] ?? [:]
    }

    /// OpenAI's error object.
    func error() throws -> [String: Any] {
      try json()["error"] as? [String: Any] ?? [:]
    }
  }

  func send(
    _ method: HTTPMethod = .POST, _ path: String, _ body: String? = nil,
    headers: [(String, String)] = []
  ) async throws -> Reply {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = method
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body { request.body = .bytes(Data(body.utf8)) }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
    let buffer = try await response.body.collect(upTo: 16 << 20)
    return Reply(
      status: Int(response.status.code), headers: response.headers,
      body: Data(buffer.readableBytesView))
  }

  static let request = #"{"model":"m","query":"q","documents":["a","b","c"]}"#
}
