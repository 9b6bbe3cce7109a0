import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Scoring
import Synchronization
import TraceContext
import Tracing

/// Carries requests to one backend and whole answers back, each within its time.
final class BackendClient: Sendable {
  let credentials: CredentialWatch

  private static let clientDeadlineSlack = Duration.seconds(1)

  private let configuration: RemoteEngineConfiguration
  private let tokens: BearerTokenSource
  private let client: HTTPClient
  private let metrics: BackendMetrics
  private let tracer: any Tracer
  private let logger: Logger

  init(
    _ configuration: RemoteEngineConfiguration, environment: [String: String],
    metrics: BackendMetrics, tracer: any Tracer, logger: Logger
  ) throws {
    self.configuration = configuration
    self.metrics = metrics
    self.tracer = tracer
    self.logger = logger
    tokens = BearerTokenSource(
      configuration.credentials, pause: configuration.credentialsPause, environment: environment)
    credentials = CredentialWatch(
      backend: configuration.name, tokens: tokens, interval: configuration.credentialsPoll)
    client = HTTPClient(
      eventLoopGroupProvider: .singleton,
      configuration: try configuration.httpConfiguration(environment: environment))
    let backend: Logger.Metadata = ["backend": "\(configuration.name)"]
    if configuration.credentials != .none, configuration.baseURL.hasPrefix("http://") {
      logger.info("the backend's token travels without encryption", metadata: backend)
    }
    if configuration.tls.isInsecure {
      logger.warning("the backend's certificate is not checked", metadata: backend)
    }
  }

  func shutdown() async {
    credentials.end()
    do {
      try await client.shutdown()
    } catch {
      logger.warning("the HTTP client did not shut down cleanly: \(error)")
    }
  }

  /// One request and its whole answer, as a span of its own whose context the backend gets.
  ///
  /// - Parameter timeoutFault: what it says of the backend when the deadline comes first.
  /// - Returns: the body of a 200.
  /// - Throws: ``RequestFailure``; `CancellationError`.
  func exchange(
    _ method: HTTPMethod, path: String, body: [UInt8]? = nil, traceparent: String? = nil,
    deadline: ContinuousClock.Instant, timeoutFault: BackendFault? = .unavailable
  ) async throws -> [UInt8] {
    let span = tracer.startSpan(
      "\(method.rawValue) \(path)", context: tracer.context(ofTraceparent: traceparent),
      ofKind: .client)
    defer { span.end() }
    span.updateAttributes {
      $0["rerankd.backend"] = configuration.name
      $0["http.request.method"] = method.rawValue
      $0["url.path"] = path
    }
    let own = tracer.traceparent(of: span.context, orReceived: traceparent)
    let status = Mutex<Int?>(nil)
    let start = ContinuousClock.now
    defer { metrics.ended(status: status.withLock { $0 }, after: start.duration(to: .now)) }
    do {
      return try await whole(by: deadline, timeoutFault: timeoutFault) {
        try await self.transfer(
          method, path: path, body: body, traceparent: own, deadline: deadline
        ) {
          code in
          status.withLock { $0 = code }
          span.attributes["http.response.status_code"] = code
        }
      }
    } catch {
      span.setStatus(SpanStatus(code: .error, message: "\(error)"))
      throw error
    }
  }

  /// However the bytes of the answer drip, it is over by the deadline.
  private func whole(
    by deadline: ContinuousClock.Instant, timeoutFault: BackendFault?,
    _ transfer: @escaping @Sendable () async throws -> [UInt8]
  ) async throws -> [UInt8] {
    try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
      group.addTask(operation: transfer)
      group.addTask {
        try await Task.sleep(until: deadline)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let answer = first else {
        throw RequestFailure(
          error: EngineError(
            code: .deadlineExceeded,
            message: "The backend \"\(self.configuration.name)\" did not answer in time.",
            isRetryable: true, backendFault: timeoutFault))
      }
      return answer
    }
  }

  private func transfer(
    _ method: HTTPMethod, path: String, body: [UInt8]?, traceparent: String?,
    deadline: ContinuousClock.Instant, onStatus: @Sendable (Int) -> Void
  ) async throws -> [UInt8] {
    // Before the token is read: one that is replaced meanwhile has then changed since.
    let version = tokens.version()
    do {
      let token = try tokens.token()
      let request = request(
        method, path: path, body: body, traceparent: traceparent, token: token)
      let (response, answer) = try await whole(request, deadline: deadline)
      onStatus(Int(response.status.code))
      guard response.status == .ok else {
        throw RequestFailure(
          status: Int(response.status.code), body: answer,
          retryAfter: response.headers.first(name: "retry-after").flatMap {
            RetryAfter.parse($0, now: Date())
          }, token: token, configuration: configuration)
      }
      credentials.accepted()
      return answer
    } catch {
      try Task.checkCancellation()
      let failure =
        switch error {
        case let error as RequestFailure: error
        case let error as EngineError: RequestFailure(error: error)
        default:
          RequestFailure(
            error: TransportFailure.engineError(for: error, configuration: configuration))
        }
      if failure.error.backendFault == .credentialsRefused { credentials.refused(version) }
      throw failure
    }
  }

  private func request(
    _ method: HTTPMethod, path: String, body: [UInt8]?, traceparent: String?, token: BearerToken?
  ) -> HTTPClientRequest {
    var base = configuration.baseURL[...]
    while base.hasSuffix("/") { base.removeLast() }
    var request = HTTPClientRequest(url: base + path)
    request.method = method
    request.headers.add(name: "accept", value: "application/json")
    request.headers.add(name: "user-agent", value: "rerankd")
    if let token { request.headers.add(name: "authorization", value: token.headerValue) }
    if let traceparent { request.headers.add(name: "traceparent", value: traceparent) }
    if let body {
      request.headers.add(name: "content-type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: body))
    }
    return request
  }

  private func whole(
    _ request: HTTPClientRequest, deadline: ContinuousClock.Instant
  ) async throws -> (HTTPClientResponse, [UInt8]) {
    // The deadline ends the task; the client's own would only race it.
    let left = max(deadline - .now, .zero) + Self.clientDeadlineSlack
    let response = try await client.execute(request, timeout: TimeAmount(left))
    var collected: [UInt8] = []
    for try await chunk in response.body {
      guard collected.count + chunk.readableBytes <= configuration.responseBytesMax else {
        throw EngineError(
          code: .resourceExhausted,
          message: """
            The answer of the backend "\(configuration.name)" has more than \
            \(configuration.responseBytesMax) bytes; raise response_bytes_max or submit smaller jobs.
            """,
          isRetryable: false)
      }
      collected += chunk.readableBytesView
    }
    return (response, collected)
  }
}
