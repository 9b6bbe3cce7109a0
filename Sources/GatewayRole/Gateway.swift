public import CoreMetrics
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOSSL
import RerankdClient
public import ServiceLifecycle
public import Tracing

/// HTTP in front of a queue: clients of the usual rerank APIs become its producers.
///
/// A request takes this way. ``ConnectionHandler`` watches its bytes: headers, body and response
/// have their time, and a client that goes away is noticed. ``GatewayResponder`` finds the
/// ``Route``, asks ``AccessControl`` whose token it is, bounds what all requests hold
/// (``RequestGate``) and reads the body. The body, in whichever API's words, becomes a
/// ``RerankBody``, that a job, and ``GatewayOperations`` has the queue do it and writes the answer.
/// Whatever goes wrong on the way is an ``APIError``, written as the client's API does
/// (``ErrorStyle``).
///
/// The gateway keeps nothing. A synchronous request is a job with a key, the client's or a new one,
/// so it is asked again after a restart of the queue; its deadline is the client's timeout; and a
/// client that goes away ends its job unless the key was its own. Any number of gateways may stand
/// in front of the same queues. Of several queues (shards) one that is away costs what belongs to it
/// alone: `ShardedClient` has the rules.
public struct Gateway: Service {
  private let configuration: GatewayConfiguration
  private let budget: BudgetCounter
  /// All of them.
  private let queue: any GatewayQueue
  private let operated: [any OperatedQueue]
  private let watch: QueueWatch
  private let access: AccessControl
  private let closeQueue: @Sendable () async -> Void
  private let onListening: @Sendable (_ port: Int) async -> Void
  private let gate: RequestGate
  private let metrics: GatewayMetrics
  private let tracer: any Tracer
  private let logger: Logger

  /// Reads the token file and opens the connections to the queues, which may be away as yet.
  ///
  /// - Parameters:
  ///   - metrics: the process's factory by default; so with the tracer.
  ///   - onListening: called once, with the port.
  /// - Throws: ``GatewayError``.
  public init(
    _ configuration: GatewayConfiguration, budget: BudgetCounter,
    metrics: any MetricsFactory = MetricsSystem.factory,
    tracer: any Tracer = InstrumentationSystem.tracer, logger: Logger,
    onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) throws(GatewayError) {
    let client: ShardedClient
    let pageClient: ShardedClient
    do {
      client = try ShardedClient(configuration.queues)
      // Connections of its own: whatever producers have under way, operators see what goes on.
      var page = configuration.queues
      page.client.callTimeout = configuration.pageCallTimeout
      pageClient = try ShardedClient(page)
    } catch {
      throw GatewayError(
        code: .socket, message: "the connections to the queues cannot be made", underlying: error)
    }
    try self.init(
      configuration, budget: budget, queue: client, operated: pageClient.shards,
      closeQueue: {
        await client.close()
        await pageClient.close()
      },
      metrics: metrics, tracer: tracer, logger: logger, onListening: onListening)
  }

  init(
    _ configuration: GatewayConfiguration, budget: BudgetCounter, queue: any GatewayQueue,
    operated: [any OperatedQueue],
    closeQueue: @escaping @Sendable () async -> Void, metrics: any MetricsFactory,
    tracer: any Tracer, logger: Logger,
    onListening: @escaping @Sendable (_ port: Int) async -> Void
  ) throws(GatewayError) {
    if let problem = configuration.firstProblem {
      throw GatewayError(
        code: .configuration, message: "gateway.\(problem.key): \(problem.message)")
    }
    self.configuration = configuration
    self.budget = budget
    self.queue = queue
    self.operated = operated
    watch = QueueWatch(
      operated, period: configuration.pageStatusPeriod, idlePeriod: configuration.pageIdlePeriod,
      span: configuration.pageHistory)
    self.closeQueue = closeQueue
    self.onListening = onListening
    self.metrics = GatewayMetrics(metrics)
    self.tracer = tracer
    self.logger = logger
    gate = RequestGate(
      requestsMax: configuration.requestsMax, bodyBytesMax: configuration.bodyBytesTotalMax)
    guard let path = configuration.tokenFile else {
      access = AccessControl(file: nil)
      return
    }
    access = AccessControl(
      file: try AccessTokenFile(
        path: path, tokensMax: configuration.tokensMax,
        checkInterval: configuration.tokenFileCheckInterval, logger: logger))
  }

  /// Serves until the task is cancelled or a graceful shutdown is asked for; then requests under
  /// way have their grace.
  ///
  /// - Throws: ``GatewayError`` when it cannot listen.
  public func run() async throws {
    let application = Application(
      responder: responder, server: try server(),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        availableConnectionsDelegate: MaximumAvailableConnections(
          configuration.connectionsMax, logger: logger)),
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? configuration.port
        logger.notice("listening on \(configuration.host):\(port)")
        await onListening(port)
      },
      logger: Self.quiet(logger))
    do {
      try await withGrace { try await application.run() }
    } catch {
      await closeQueue()
      throw GatewayError(
        code: .socket,
        message: "cannot serve on \(configuration.host):\(configuration.port)", underlying: error)
    }
    await closeQueue()
  }

  private let registry = PeerRegistry()
  /// Seconds since 1970.
  private let startedAt = Int64(Date().timeIntervalSince1970)

  private var responder: GatewayResponder {
    let page = PageResponder(
      configuration: configuration, access: access, gate: gate,
      operations: PageOperations(configuration: configuration, queues: operated, watch: watch))
    return GatewayResponder(
      configuration: configuration, access: access, registry: registry, gate: gate,
      metrics: metrics, tracer: tracer, operations: operations,
      page: configuration.servesPage ? page : nil, logger: logger)
  }

  private var operations: GatewayOperations {
    GatewayOperations(
      configuration: configuration, queue: queue, budgetCounter: budget, startedAt: startedAt)
  }

  private func server() throws -> HTTPServerBuilder {
    let bodyTimeout = TimeAmount(configuration.bodyTimeout)
    let responseTimeout = TimeAmount(configuration.responseTimeout)
    let registry = registry
    let http = HTTPServerBuilder.http1(
      configuration: .init(
        additionalChannelHandlers: [
          ConnectionHandler(
            registry: registry, bodyTimeout: bodyTimeout, responseTimeout: responseTimeout)
        ],
        idleTimeout: TimeAmount(configuration.idleTimeout),
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: configuration.headerBytesMax,
          maxHeaderListSize: configuration.headerBytesMax,
          maxHeaderFieldCount: configuration.headersMax)))
    guard let certificate = configuration.certificateFile, let key = configuration.keyFile else {
      return http
    }
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificate)
      return try .tls(
        http,
        tlsConfiguration: .makeServerConfiguration(
          certificateChain: chain.map { .certificate($0) },
          privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))))
    } catch {
      throw GatewayError(
        code: .configuration,
        message: "the certificate \(certificate) and its key \(key) cannot be used",
        underlying: error)
    }
  }

  /// Records what is held now, as metrics: for scrapes.
  public func recordMetrics() {
    let held = gate.held
    metrics.record(requestsInFlight: held.requests, bodyBytes: held.bodyBytes)
  }

  /// Why requests cannot be answered at the moment; nil while the queue answers.
  public var hindrance: String? {
    get async {
      do {
        try await operations.checkQueue()
        return nil
      } catch {
        return (error as? APIError)?.message ?? "\(error)"
      }
    }
  }

  /// Requests under way hold the server's end up by so much and no more.
  private func withGrace(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let grace = configuration.shutdownGrace
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask(operation: body)
      group.addTask {
        try? await gracefulShutdown()
        try? await Task.sleep(for: grace)
      }
      if configuration.servesPage { group.addTask { await watch.run() } }
      try await group.next()
      group.cancelAll()
    }
  }

  /// The server's own log tells of every start and end of its parts.
  private static func quiet(_ logger: Logger) -> Logger {
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    return quiet
  }
}
