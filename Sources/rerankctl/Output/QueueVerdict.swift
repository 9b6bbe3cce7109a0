import RerankdClient
import RerankdProtocol

/// What became of one queue.
private struct QueueVerdict: Encodable {
  var endpoint: String
  var result: String?
  var error: ErrorView?
}

extension Printer {
  /// Does something to each queue and says what became of it; one that is away does not keep the
  /// others from it.
  ///
  /// - Throws: the exit code, when it could not be done to some; `CallError`, when to none.
  func verdicts(
    of queues: Queues, _ done: String,
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Void
  ) async throws {
    let answers = try await queues.ask(body)
    let failures = answers.failures
    let verdicts = queues.all.map { queue in
      let failure = failures.first { $0.endpoint == queue.endpoint }
      return QueueVerdict(
        endpoint: queue.endpoint, result: failure == nil ? done : nil,
        error: failure.map { ErrorView($0.error.status) })
    }
    try list(verdicts) {
      var table = TextTable([("QUEUE", .left), ("RESULT", .left)])
      for verdict in verdicts {
        table.append([.init(verdict.endpoint), .init(verdict.error, done: done)])
      }
      return table
    }
    if !failures.isEmpty { throw CommandFailure.unsuccessful }
  }
}
