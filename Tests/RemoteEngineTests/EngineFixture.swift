import Foundation
import Logging
import RemoteEngine
import Scoring
import Synchronization
import TestSupport

/// The engine before a hub of the test's own, and the jobs that it is given.
enum EngineFixture {
  static let query = "what is the capital of France"
  static let documents = [
    "Berlin is the capital of Germany", "Paris is the capital of France", "Bread and butter",
  ]

  static func request(
    _ documents: [String] = documents, model: String = "ranker",
    remaining: Duration = .seconds(60)
  ) -> ScoringRequest {
    ScoringRequest(
      model: model, query: .init(text: query), documents: documents.map { .init(text: $0) },
      remaining: remaining, traceparent: "00-trace")
  }

  /// Texts that a hub scores differently.
  static func texts(_ count: Int, poison: Set<Int> = []) -> [String] {
    (0..<count).map { "document \($0) of France" + (poison.contains($0) ? " POISON" : "") }
  }

  static func scores(_ texts: [String]) -> [Float] {
    texts.map { Float(FakeHub.score(query: query, document: $0)) }
  }

  /// - Parameter change: of a configuration that sends no golden pair, since tests count requests.
  static func withEngine(
    _ hub: FakeHub, change: (inout RemoteEngineConfiguration) -> Void = { _ in },
    _ body: (RemoteRerankEngine) async throws -> Void
  ) async throws {
    var configuration = RemoteEngineConfiguration(
      name: "hub", baseURL: hub.baseURL + "/",
      models: [.init(name: "ranker", servedName: "fake-reranker")])
    configuration.credentials = .environment("HUB_TOKEN")
    configuration.models[0].checksGoldenPair = false
    change(&configuration)
    let engine = try RemoteRerankEngine(
      configuration, environment: ["HUB_TOKEN": FakeHub.token, "PROXY": "user:pass"],
      logger: Logger(label: "test"))
    do {
      try await body(engine)
    } catch {
      await engine.shutdown()
      throw error
    }
    await engine.shutdown()
  }

  static func failure(
    _ engine: RemoteRerankEngine, _ request: ScoringRequest
  ) async throws -> EngineError? {
    do {
      _ = try await engine.score(request, progress: {})
      return nil
    } catch let error as EngineError {
      return error
    }
  }
}

/// Lets everything through, and writes down what the queue would learn.
final class RecordingAdmission: BackendAdmission {
  struct Record: Sendable {
    var permits = 0
    var tokens = 0
    var faults: [BackendFault] = []
    var backends: Set<String> = []
  }

  private let state = Mutex(Record())
  var record: Record { state.withLock { $0 } }

  func withPermit<Answer: Sendable>(
    backend: String, tokens: Int, _ request: @Sendable () async throws -> Answer
  ) async throws -> Answer {
    state.withLock {
      $0.permits += 1
      $0.tokens += tokens
      $0.backends.insert(backend)
    }
    do {
      return try await request()
    } catch let error as EngineError {
      if let fault = error.backendFault { state.withLock { $0.faults.append(fault) } }
      throw error
    }
  }
}
