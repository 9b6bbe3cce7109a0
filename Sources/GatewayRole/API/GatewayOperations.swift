import HTTPTypes
import Hummingbird
import RerankdClient
import RerankdProtocol
import SwiftProtobuf

/// What the routes do, whatever the API: requests become jobs, and jobs' ends become answers.
struct GatewayOperations: Sendable {
  /// How answers to a rerank are written.
  enum AnswerForm {
    case open
    case cohere
    case tei
  }

  /// Beyond the deadline, so that the queue's word on the job comes before ours.
  private static let deadlineGrace: Duration = .seconds(2)

  let configuration: GatewayConfiguration
  let queue: any GatewayQueue
  let budgetCounter: BudgetCounter
  /// Seconds since 1970.
  let startedAt: Int64

  // MARK: Synchronous

  /// Submits a job and waits for its end, across restarts of the queue.
  ///
  /// A client that goes away, or whose time is over, ends the job as well, unless the job has a key
  /// of the client's, who may come back for it.
  func rerank(
    _ body: RerankBody, _ exchange: Exchange, _ caller: Caller, _ form: AnswerForm
  ) async throws -> Response {
    var body = body
    if body.model.isEmpty { body.model = try defaultModel() }
    let timeout = min(
      try exchange.timeout() ?? configuration.requestTimeout, configuration.requestTimeoutMax)
    var job = try job(body, exchange, caller)
    job.spec.deadlineMs = timeout.wholeMilliseconds
    let prepared = job
    let cancelsJob = job.spec.idempotencyKey.isEmpty
    let outcome = try await exchange.presence.whileHere {
      try await queue.rerank(
        prepared, timeout: timeout + Self.deadlineGrace, cancelsJob: cancelsJob)
    }
    let id = JobID(rawValue: outcome.jobID)
    exchange.span?.became(job: id)
    let result = try outcome.rankedResult()
    switch form {
    case .open:
      return .json(
        OpenRerankAnswer(
          result, id: id, model: body.allowsFallback ? result.model : body.model,
          documents: body.returnsDocuments ? body.documents.map(\.content) : nil))
    case .cohere:
      return .json(CohereRerankAnswer(result, id: id, documentCount: body.documents.count))
    case .tei:
      return .json(
        result.results.map { ranked in
          TEIRank(
            index: Int(ranked.index), score: ranked.relevanceScore,
            text: body.returnsDocuments ? body.documents[Int(ranked.index)].content.joinedText : nil
          )
        })
    }
  }

  private func defaultModel() throws -> String {
    guard let model = configuration.defaultModel else {
      throw APIError.badRequest("model is missing", param: "model")
    }
    return model
  }

  private func job(
    _ body: RerankBody, _ exchange: Exchange, _ caller: Caller
  ) throws -> RerankJob {
    try caller.requireModel(body.model)
    var job = try body.job(documentsMax: configuration.documentsMax)
    job.spec.tenant = caller.tenant
    job.spec.traceparent = exchange.span?.traceparent ?? ""
    job.spec.idempotencyKey = try exchange.idempotencyKey() ?? ""
    return job
  }

  // MARK: Jobs

  func submit(
    _ body: RerankBody, _ exchange: Exchange, _ caller: Caller
  ) async throws -> Response {
    var job = try job(body, exchange, caller)
    job.spec.deadlineMs = try exchange.timeout()?.wholeMilliseconds ?? 0
    let outcomes = try await queue.submit([job], timeout: configuration.requestTimeout)
    guard let outcome = outcomes.first else {
      throw CallError(.internal, "the queue answered nothing to a submit")
    }
    if let error = CallError(status: outcome.error) { throw error }
    let id = JobID(rawValue: outcome.jobID)
    exchange.span?.became(job: id)
    var response = Response.json(
      JobAnswer(id: "\(id)", status: .queued, model: body.model, duplicate: outcome.duplicate),
      status: .accepted)
    response.headers[.location] = "/v1/jobs/\(id)"
    return response
  }

  func job(_ text: String, _ caller: Caller, returnsDocuments: Bool) async throws -> Response {
    let (id, details) = try await ownJob(text, caller)
    var answer = JobAnswer(details)
    if details.state == .succeeded {
      let result = try details.outcome.rankedResult()
      let documents = returnsDocuments ? try await documents(of: id) : nil
      answer.result = OpenRerankAnswer(
        result, id: id, model: details.spec.allowFallback ? result.model : details.spec.model,
        documents: documents)
    }
    return .json(answer)
  }

  /// Bodies are fetched for answers that show them alone.
  private func documents(of id: JobID) async throws -> [Content] {
    let details = try await queue.job(id, withRequest: true, withAttempts: false)
    return try RerankRequest(serializedBytes: details.request).documents
  }

  func cancelJob(_ text: String, _ caller: Caller) async throws -> Response {
    let (id, details) = try await ownJob(text, caller)
    let state = try await queue.cancel(id)
    return .json(
      JobAnswer(id: "\(id)", status: .init(state), model: details.spec.model))
  }

  /// A job of another tenant's, or of a model that the client may not use, is none for this client.
  private func ownJob(_ text: String, _ caller: Caller) async throws -> (JobID, JobDetails) {
    let unknown = APIError.unknownJob(String(text.prefix(64)))
    guard let id = JobID(text), id.sequence > 0 else { throw unknown }
    let details: JobDetails
    do {
      details = try await queue.job(id, withRequest: false, withAttempts: false)
    } catch where error.code == .notFound {
      throw unknown
    }
    let tenant = details.spec.tenant.isEmpty ? AccessControl.defaultTenant : details.spec.tenant
    guard tenant == caller.tenant, caller.allows(model: details.spec.model) else { throw unknown }
    return (id, details)
  }

  // MARK: What there is

  func budget(_ body: RerankBody, _ caller: Caller) async throws -> Response {
    try caller.requireModel(body.model)
    guard body.documents.count <= configuration.documentsMax else {
      throw APIError.tooManyDocuments(body.documents.count, max: configuration.documentsMax)
    }
    return .json(try await budgetCounter.count(body))
  }

  func models(_ caller: Caller) async throws -> Response {
    let models = try await queue.models(timeout: configuration.requestTimeout)
    return .json(
      ModelsAnswer(
        data: models.filter { caller.allows(model: $0.name) }.map {
          .init(
            id: $0.name, created: startedAt, contextTokens: $0.contextTokens, images: $0.images,
            workers: $0.workers)
        }))
  }

  /// - Throws: ``APIError`` 503 while the queue does not answer.
  func checkQueue() async throws {
    do {
      _ = try await queue.models(timeout: configuration.readyTimeout)
    } catch {
      throw APIError(
        status: .serviceUnavailable, type: "server_error",
        message: "the queue does not answer: \(error)", code: "unavailable",
        retryAfter: configuration.overloadRetryAfter)
    }
  }
}

extension Content {
  /// What answers give back as a document's text.
  var joinedText: String {
    parts.compactMap { if case .text(let text) = $0.kind { text } else { nil } }
      .joined(separator: "\n")
  }
}
