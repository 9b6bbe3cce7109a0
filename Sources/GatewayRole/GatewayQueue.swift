import RerankdClient
import RerankdProtocol

/// What the gateway asks of its queues: the part of `ShardedClient` that it needs, so that tests can
/// stand in for it.
protocol GatewayQueue: Sendable {
  func rerank(
    _ job: RerankJob, timeout: Duration?, cancelsJob: Bool
  ) async throws(CallError) -> JobOutcome
  func submit(_ jobs: [RerankJob], timeout: Duration?) async throws(CallError) -> [SubmitOutcome]
  func job(_ id: JobID, withRequest: Bool, withAttempts: Bool) async throws(CallError) -> JobDetails
  func cancel(_ id: JobID) async throws(CallError) -> JobState
  func models(timeout: Duration?) async throws(CallError) -> [ModelInfo]
}

extension ShardedClient: GatewayQueue {}
