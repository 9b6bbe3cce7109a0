import AsyncHTTPClient
import Foundation
public import Logging
import NIOCore
import NIOHTTP1
public import Scoring

/// Scores with a rerank API over HTTP. See the module's page for what each failure means.
///
/// ``shutdown()`` must be called before the last reference goes.
public final class RemoteRerankEngine: RerankEngine {
  public let name: String

  private let configuration: RemoteEngineConfiguration
  private let counters: [String: any TokenCounter]
  private let tokens: BearerTokenSource
  private let slots: RequestSlots
  private let client: HTTPClient
  private let logger: Logger

  /// While an answer is outstanding within its time the job counts as moving, this often.
  private static let progressInterval = Duration.seconds(1)

  /// - Parameter environment: where a token is looked up.
  /// - Throws: ``RemoteEngineConfiguration/Invalid``, for a tokenizer that cannot be used as well.
  public init(
    _ configuration: RemoteEngineConfiguration, environment: [String: String], logger: Logger
  ) throws {
    try configuration.validate()
    name = configuration.name
    self.configuration = configuration
    counters = try configuration.tokenCounters()
    self.logger = logger
    tokens = BearerTokenSource(
      configuration.credentials, pause: configuration.credentialsPause, environment: environment,
      logger: logger)
    slots = RequestSlots(count: configuration.concurrentRequestsMax)
    var http = HTTPClient.Configuration(
      redirectConfiguration: .disallow,
      timeout: .init(connect: TimeAmount(configuration.connectTimeout)))
    http.httpVersion = .http1Only
    // The slots bound what is under way, so that no request waits inside the pool on a clock of its own.
    http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
      configuration.concurrentRequestsMax
    // A refused connection is the queue's to retry, with everybody else's wait taken into account.
    http.connectionPool.retryConnectionEstablishment = false
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
    if configuration.credentials != .none, configuration.baseURL.hasPrefix("http://") {
      logger.info(
        "the backend's token travels without encryption",
        metadata: ["backend": "\(configuration.name)"])
    }
  }

  /// Ends the connections; requests under way fail.
  public func shutdown() async {
    do {
      try await client.shutdown()
    } catch {
      logger.warning("the HTTP client did not shut down cleanly: \(error)")
    }
  }

  /// The configured models that the backend lists; all of them where it has no list.
  public func models() async throws -> [EngineModel] {
    let listed: Set<String>?
    do {
      let body = try await exchange(
        .GET, path: OpenAIDialect.modelsPath, body: nil, traceparent: nil,
        timeout: configuration.responseTimeout, progress: {})
      guard let ids = OpenAIDialect.modelIDs(in: body) else {
        throw EngineError(
          code: .internal, message: "The backend \"\(name)\" sent no list of models.",
          isRetryable: true)
      }
      listed = ids
    } catch let error as EngineError where [.notFound, .unimplemented].contains(error.code) {
      listed = nil
    }
    return configuration.models.compactMap { model in
      if let listed, !listed.contains(model.servedName) {
        logger.warning(
          "the backend does not list a configured model",
          metadata: ["backend": "\(name)", "model": "\(model.servedName)"])
        return nil
      }
      return EngineModel(
        name: model.name, contextTokens: model.contextTokens,
        reservedTokens: model.reservedTokens, acceptsImages: model.acceptsImages)
    }
  }

  public func tokenCounter(forModel model: String) -> any TokenCounter {
    counters[model] ?? EstimatedTokenCounter()
  }

  public func score(_ request: ScoringRequest, progress: @escaping @Sendable () -> Void)
    async throws -> ScoringResult
  {
    guard let model = configuration.models.first(where: { $0.name == request.model }) else {
      throw EngineError(
        code: .notFound, message: "The backend \"\(name)\" has no model \"\(request.model)\".",
        isRetryable: false)
    }
    guard request.documents.count <= configuration.documentsMax else {
      throw EngineError(
        code: .invalidArgument,
        message: """
          documents: the backend "\(name)" takes at most \(configuration.documentsMax) documents a \
          request, and the job has \(request.documents.count); submit it in parts.
          """,
        isRetryable: false)
    }
    let body = try OpenAIDialect.encode(request, for: model)
    guard body.count <= configuration.requestBytesMax else {
      throw EngineError(
        code: .invalidArgument,
        message: """
          The request to the backend "\(name)" would have \(body.count) bytes, of at most \
          \(configuration.requestBytesMax); submit the job in parts.
          """,
        isRetryable: false)
    }
    let answer = try await exchange(
      .POST, path: OpenAIDialect.rerankPath, body: body, traceparent: request.traceparent,
      timeout: min(configuration.responseTimeout, request.remaining), progress: progress)
    return try RerankAnswer.parse(
      answer, documentCount: request.documents.count, model: model, backend: name)
  }
}

extension RemoteRerankEngine {
  /// One request and its whole answer.
  ///
  /// - Returns: the body of a 200.
  private func exchange(
    _ method: HTTPMethod, path: String, body: [UInt8]?, traceparent: String?, timeout: Duration,
    progress: @escaping @Sendable () -> Void
  ) async throws -> [UInt8] {
    let deadline = ContinuousClock.now + timeout
    return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
      group.addTask {
        try await self.slots.withSlot {
          try await self.transfer(
            method, path: path, body: body, traceparent: traceparent, deadline: deadline)
        }
      }
      group.addTask {
        // The job moves for as long as its request is within its time, and not a second longer: a
        // backend that hangs loses the job by this deadline.
        while ContinuousClock.now + Self.progressInterval < deadline {
          try await Task.sleep(for: Self.progressInterval)
          progress()
        }
        try await Task.sleep(until: deadline)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let answer = first else {
        throw EngineError(
          code: .deadlineExceeded,
          message: "The backend \"\(name)\" did not answer within \(timeout).", isRetryable: true)
      }
      return answer
    }
  }

  private func transfer(
    _ method: HTTPMethod, path: String, body: [UInt8]?, traceparent: String?,
    deadline: ContinuousClock.Instant
  ) async throws -> [UInt8] {
    let token = try tokens.token()
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
    let response: HTTPClientResponse
    let answer: [UInt8]
    do {
      let left = deadline - .now
      response = try await client.execute(request, timeout: TimeAmount(max(left, .zero)))
      answer = try await collect(response.body)
    } catch let error as EngineError {
      throw error
    } catch {
      try Task.checkCancellation()
      throw TransportFailure.engineError(for: error, backend: name)
    }
    guard response.status == .ok else {
      throw FailureTable.error(
        status: Int(response.status.code), body: answer,
        retryAfter: response.headers.first(name: "retry-after").flatMap {
          RetryAfter.parse($0, now: Date())
        },
        backend: name, token: token, credentialsPause: configuration.credentialsPause)
    }
    return answer
  }

  private func collect(_ body: HTTPClientResponse.Body) async throws -> [UInt8] {
    var collected: [UInt8] = []
    for try await chunk in body {
      guard collected.count + chunk.readableBytes <= configuration.responseBytesMax else {
        throw EngineError(
          code: .resourceExhausted,
          message: """
            The answer of the backend "\(name)" has more than \(configuration.responseBytesMax) \
            bytes; raise response_bytes_max or submit smaller jobs.
            """,
          isRetryable: false)
      }
      collected += chunk.readableBytesView
    }
    return collected
  }
}
