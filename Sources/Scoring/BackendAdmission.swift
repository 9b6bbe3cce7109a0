/// Leave to send requests to remote backends. Their limits and their health belong to the queue,
/// since N workers would make them N times; an engine asks before each request, and what comes of
/// the request is reported by how `request` ends.
public protocol BackendAdmission: Sendable {
  /// Waits until the backend takes one more request, and runs it.
  ///
  /// - Parameters:
  ///   - tokens: what the request will cost, as far as the engine can tell.
  ///   - request: sends the request. What its ``EngineError`` says of the backend
  ///     (``EngineError/backendFault``) counts for all workers.
  /// - Throws: what `request` throws; ``EngineError`` that does not spend the attempt when the
  ///   backend rests; `CancellationError`.
  func withPermit<Answer: Sendable>(
    backend: String, tokens: Int, _ request: @Sendable () async throws -> Answer
  ) async throws -> Answer
}

/// For engines outside a worker.
public struct UnlimitedAdmission: BackendAdmission {
  public init() {}

  public func withPermit<Answer: Sendable>(
    backend: String, tokens: Int, _ request: @Sendable () async throws -> Answer
  ) async throws -> Answer {
    try await request()
  }
}
