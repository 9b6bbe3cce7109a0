import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// Whether a role works, for those who start and watch it. Either is nil when it is well, else a
/// sentence.
public struct RoleHealth: Sendable {
  /// What only a new process would mend.
  public var failure: @Sendable () async -> String?
  /// Why it cannot do its work at the moment.
  public var hindrance: @Sendable () async -> String?

  public init(
    failure: @escaping @Sendable () async -> String? = { nil },
    hindrance: @escaping @Sendable () async -> String? = { nil }
  ) {
    self.failure = failure
    self.hindrance = hindrance
  }
}

/// A small HTTP server for those who watch one role: `/metrics`, `/health/live` and `/health/ready`.
///
/// It is never what ends the role: when its port is taken it says so in the log, and the role goes on
/// without it.
public struct MetricsListener: Service {
  private let configuration: MetricsListenerConfiguration
  private let exposition: Exposition
  private let health: RoleHealth
  private let logger: Logger
  private let onListening: @Sendable (_ port: Int) async -> Void

  /// - Parameter onListening: called once it listens.
  public init(
    _ configuration: MetricsListenerConfiguration, exposition: Exposition, health: RoleHealth,
    logger: Logger, onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.exposition = exposition
    self.health = health
    self.logger = logger
    self.onListening = onListening
  }

  /// Serves until a graceful shutdown, or until the task is cancelled.
  public func run() async throws {
    guard let host = configuration.host else { return await untilShutdown() }
    let (logger, port) = (logger, configuration.port)
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .error)
    let application = Application(
      router: router,
      server: .http1(
        configuration: .init(idleTimeout: TimeAmount(configuration.idleTimeout))),
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: port),
        availableConnectionsDelegate: MaximumAvailableConnections(
          configuration.connectionsMax, logger: quiet)),
      onServerRunning: { [onListening] channel in
        let bound = channel.localAddress?.port ?? port
        logger.notice("metrics and health on \(host):\(bound)")
        await onListening(bound)
      },
      logger: quiet)
    do {
      try await application.run()
    } catch {
      logger.warning(
        """
        metrics and health cannot be shown on \(configuration.listen), the role goes on without: \
        \(error); name another address in metrics.listen, or off
        """)
      await untilShutdown()
    }
  }

  private var router: Router<BasicRequestContext> {
    let (exposition, health) = (exposition, health)
    let router = Router()
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: Exposition.contentType],
        body: .init(byteBuffer: ByteBuffer(string: await exposition.text())))
    }
    router.get("/health/live") { _, _ in Self.answer("live", problem: await health.failure()) }
    router.get("/health/ready") { _, _ in Self.answer("ready", problem: await health.hindrance()) }
    return router
  }

  private static func answer(_ status: String, problem: String?) -> Response {
    let body = try? JSONEncoder().encode(
      problem.map { ["status": "not \(status)", "reason": $0] } ?? ["status": status])
    return Response(
      status: problem == nil ? .ok : .serviceUnavailable,
      headers: [.contentType: "application/json"],
      body: .init(byteBuffer: ByteBuffer(bytes: body ?? Data())))
  }

  /// A service that returned would end its group.
  private func untilShutdown() async {
    try? await gracefulShutdown()
  }
}
