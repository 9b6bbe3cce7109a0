import Foundation
import NIOHTTP1
import Scoring
import Synchronization

/// Asks one backend for rankings: in its own words, within its limits, and believing no answer.
struct RemoteBackend: Sendable {
  let configuration: RemoteEngineConfiguration
  let dialect: any RerankDialect
  let client: BackendClient
  let slots: RequestSlots

  init(_ configuration: RemoteEngineConfiguration, client: BackendClient) {
    self.configuration = configuration
    self.client = client
    dialect = configuration.dialect.dialect
    slots = RequestSlots(count: configuration.concurrentRequestsMax)
  }

  /// What the requests of one job share.
  struct Job: Sendable {
    var model: RemoteEngineConfiguration.Model
    var admission: any BackendAdmission
    var traceparent: String?
    var deadline: ContinuousClock.Instant
  }

  func encode(
    query: RerankContent, documents: ArraySlice<RerankContent>, instruction: String?, for job: Job
  ) throws(EngineError) -> [UInt8] {
    try dialect.encode(
      DialectRequest(
        model: job.model, answeredScoreKind: configuration.answeredScoreKind(of: job.model),
        query: query, documents: documents, instruction: instruction))
  }

  /// - Parameters:
  ///   - tokens: what the request will cost.
  ///   - known: a failure that tells nothing new of the backend's state when it comes again.
  /// - Throws: ``RequestFailure``; what the admission throws; `CancellationError`.
  func rank(
    _ body: [UInt8], documentCount: Int, tokens: Int, known: RequestFailure? = nil, for job: Job
  ) async throws -> RankedDocuments {
    let ended = Mutex<RequestFailure?>(nil)
    do {
      // A slot first: a permit is leave to send now.
      return try await slots.withSlot {
        try await job.admission.withPermit(backend: configuration.name, tokens: tokens) {
          do {
            return try await send(body, documentCount: documentCount, for: job)
          } catch let failure as RequestFailure {
            ended.withLock { $0 = failure }
            // The admission learns of the backend's state from what is thrown.
            var error = failure.error
            if let known, failure.isSame(as: known) { error.backendFault = nil }
            throw error
          }
        }
      }
    } catch let error as EngineError {
      throw ended.withLock { $0 } ?? RequestFailure(error: error)
    }
  }

  private func send(
    _ body: [UInt8], documentCount: Int, for job: Job
  ) async throws -> RankedDocuments {
    let deadline = ContinuousClock.now + configuration.responseTimeout
    let answer = try await client.exchange(
      .POST, path: dialect.rerankPath, body: body, traceparent: job.traceparent,
      deadline: min(job.deadline, deadline),
      // A job that came late says nothing against the backend.
      timeoutFault: deadline <= job.deadline ? .unavailable : nil)
    let ranking: Ranking
    do {
      ranking = try dialect.decodeRanking(Data(answer))
    } catch {
      throw RequestFailure(
        error: .wrongAnswer(configuration.name, "it is not the JSON of a ranking"))
    }
    do {
      return try ranking.scores(
        documentCount: documentCount, model: job.model,
        answered: configuration.answeredScoreKind(of: job.model), backend: configuration.name)
    } catch {
      throw RequestFailure(error: error)
    }
  }

  /// What the backend says of its models; nil where it has no list.
  func listing() async throws -> ModelListing? {
    let body: [UInt8]
    do {
      body = try await client.exchange(
        .GET, path: dialect.listingPath, deadline: .now + configuration.responseTimeout)
    } catch let failure as RequestFailure {
      if [.notFound, .unimplemented].contains(failure.error.code) { return nil }
      throw failure.error
    }
    guard let listing = try? dialect.decodeListing(Data(body)) else {
      throw EngineError.wrongAnswer(configuration.name, "it is no list of models")
    }
    return listing
  }
}
