public import CoreMetrics
public import Logging
public import Scoring
import Synchronization
public import Tracing

/// Scores with a rerank API over HTTP. See the module's page for what each failure means.
///
/// ``shutdown()`` must be called before the last reference goes.
public final class RemoteRerankEngine: RerankEngine {
  public let name: String

  private let configuration: RemoteEngineConfiguration
  private let counters: [String: any TokenCounter]
  private let client: BackendClient
  private let backend: RemoteBackend
  private let goldenPairs: [String: GoldenPairGate]
  /// As configured, or less, where the backend said so.
  private let limits: Mutex<ShardLimits>
  private let logger: Logger

  /// While requests are outstanding within their time the job counts as moving, this often.
  private static let progressInterval = Duration.seconds(1)

  /// - Parameters:
  ///   - environment: where tokens and the proxy's credentials are looked up.
  ///   - metrics: the process's factory by default; so with the tracer.
  /// - Throws: ``RemoteEngineConfiguration/Invalid``, for a tokenizer or a certificate that cannot
  ///   be used as well.
  public init(
    _ configuration: RemoteEngineConfiguration, environment: [String: String],
    metrics: any MetricsFactory = MetricsSystem.factory,
    tracer: any Tracer = InstrumentationSystem.tracer, logger: Logger
  ) throws {
    try configuration.validate()
    name = configuration.name
    self.configuration = configuration
    self.logger = logger
    counters = try configuration.tokenCounters()
    client = try BackendClient(
      configuration, environment: environment,
      metrics: BackendMetrics(backend: configuration.name, metrics), tracer: tracer,
      logger: logger)
    backend = RemoteBackend(configuration, client: client)
    goldenPairs = configuration.models.filter(\.checksGoldenPair)
      .reduce(into: [:]) {
        $0[$1.name] = GoldenPairGate(pause: configuration.goldenPairPause)
      }
    limits = Mutex(
      ShardLimits(
        documentsMax: configuration.documentsMax,
        tokensMax: configuration.requestTokensMax ?? .max,
        bytesMax: configuration.requestBytesMax))
  }

  /// Ends the connections; requests under way fail.
  public func shutdown() async {
    await client.shutdown()
  }

  /// The configured models that the backend lists; all of them where it has no list.
  public func models() async throws -> [EngineModel] {
    let listing = try await backend.listing()
    if let documentsMax = listing?.documentsMax { learn(documentsMax: documentsMax) }
    return configuration.models.compactMap { model in
      if let listing, !listing.names.contains(model.servedName) {
        logger.warning(
          "the backend does not list a configured model",
          metadata: ["backend": "\(name)", "model": "\(model.servedName)"])
        return nil
      }
      // Of what the backend takes, the prompt has to leave something.
      let contextTokens = max(
        model.reservedTokens + 1, min(model.contextTokens, listing?.contextTokens ?? .max))
      return EngineModel(
        name: model.name, contextTokens: contextTokens, reservedTokens: model.reservedTokens,
        acceptsImages: model.acceptsImages)
    }
  }

  /// Every model that the backend lists, as it names them; nil where it has no list.
  ///
  /// - Throws: ``EngineError``.
  public func listedModels() async throws -> Set<String>? {
    try await backend.listing()?.names
  }

  /// Asks the backend for two scores whose order is beyond doubt, whatever it was asked before.
  ///
  /// - Parameter model: one of the configured.
  /// - Throws: ``EngineError``.
  public func goldenPairScores(model: String) async throws -> GoldenPairScores {
    let job = RemoteBackend.Job(
      model: try configured(model), admission: UnlimitedAdmission(), traceparent: nil,
      deadline: .now + configuration.responseTimeout)
    do {
      return try await GoldenPair.score(
        by: backend, counter: tokenCounter(forModel: model), for: job)
    } catch let failure as RequestFailure {
      throw failure.error
    }
  }

  public func tokenCounter(forModel model: String) -> any TokenCounter {
    counters[model] ?? EstimatedTokenCounter()
  }

  public func renewedCredentials() -> AsyncStream<String> {
    client.credentials.renewals()
  }

  public func score(_ request: ScoringRequest, progress: @escaping @Sendable () -> Void)
    async throws -> ScoringResult
  {
    let model = try configured(request.model)
    let job = RemoteBackend.Job(
      model: model, admission: request.admission, traceparent: request.traceparent,
      deadline: .now + request.remaining)
    if model.isListwise { try refuseParts(request) }
    return try await moving(until: job.deadline, progress) {
      try await self.passGoldenPair(job)
      return try await self.score(request, for: job)
    }
  }

  private func configured(_ name: String) throws -> RemoteEngineConfiguration.Model {
    guard let model = configuration.models.first(where: { $0.name == name }) else {
      throw EngineError(
        code: .notFound, message: "The backend \"\(self.name)\" has no model \"\(name)\".",
        isRetryable: false)
    }
    return model
  }

  private func score(
    _ request: ScoringRequest, for job: RemoteBackend.Job
  ) async throws -> ScoringResult {
    let scoring = ShardedScoring(
      request, by: backend, counter: tokenCounter(forModel: job.model.name), for: job)
    var limits = limits.withLock { $0 }
    let known = limits.documentsMax
    defer {
      if limits.documentsMax < known { learn(documentsMax: limits.documentsMax) }
    }
    return try await scoring.run(limits: &limits)
  }

  private func passGoldenPair(_ job: RemoteBackend.Job) async throws {
    guard let gate = goldenPairs[job.model.name] else { return }
    let counter = tokenCounter(forModel: job.model.name)
    do {
      try await gate.pass(name, job.model.name) {
        try await GoldenPair.score(by: backend, counter: counter, for: job).isRankedRightly
      }
    } catch let failure as RequestFailure {
      throw failure.error
    }
  }

  private func learn(documentsMax: Int) {
    let isNews = limits.withLock { limits in
      let isLess = documentsMax >= 1 && documentsMax < limits.documentsMax
      if isLess { limits.documentsMax = documentsMax }
      return isLess
    }
    if isNews {
      logger.info(
        "the backend takes fewer documents a request than configured",
        metadata: ["backend": "\(name)", "documents": "\(documentsMax)"])
    }
  }

  /// A job whose documents are scored together cannot be sent in parts.
  private func refuseParts(_ request: ScoringRequest) throws {
    let documentsMax = limits.withLock { $0.documentsMax }
    guard request.documents.count > documentsMax else { return }
    throw EngineError.invalid(
      """
      documents: the backend "\(name)" takes at most \(documentsMax) documents a request, and the \
      job has \(request.documents.count), which the model "\(request.model)" ranks together only; \
      submit fewer.
      """)
  }

  /// The job moves for as long as each of its requests is within its time: one that hangs ends with
  /// an error by then, and the job with it.
  private func moving<Value: Sendable>(
    until deadline: ContinuousClock.Instant, _ progress: @escaping @Sendable () -> Void,
    _ work: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let beat = Task {
      while ContinuousClock.now + Self.progressInterval < deadline {
        try await Task.sleep(for: Self.progressInterval)
        progress()
      }
    }
    defer { beat.cancel() }
    return try await work()
  }
}
