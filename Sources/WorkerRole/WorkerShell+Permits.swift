import RerankdProtocol
import Scoring

extension WorkerShell {
  /// Waits until the queue gives leave to send a request, and takes it.
  ///
  /// - Returns: the permit, whose request is under way from here on.
  /// - Throws: ``EngineError`` that does not spend the attempt when the backend rests;
  ///   `CancellationError`.
  func permit(backend: String, tokens: Int, lease: LeaseRef) async throws -> UInt64 {
    while true {
      lastPermit += 1
      let permit = PermitBook.Permit(
        id: lastPermit, backend: backend, tokens: tokens, lease: lease)
      metrics.waits(forBackend: backend)
      let asked = ContinuousClock.now
      defer { metrics.waited(forBackend: backend, asked.duration(to: .now)) }
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          permitWaiters[permit.id] = continuation
          handle(.permitWanted(permit))
        }
      } onCancel: {
        Task { await self.giveUp(permit.id) }
      }
      let (begins, actions) = session.begin(permit.id, now: ContinuousClock.now - start)
      for action in actions { perform(action) }
      // The stream may have been lost since, or the time be over: then it is asked for anew.
      guard begins else { continue }
      return permit.id
    }
  }

  private func giveUp(_ permit: UInt64) {
    guard let continuation = permitWaiters.removeValue(forKey: permit) else { return }
    handle(.permitEnded(permit, .unused))
    continuation.resume(throwing: CancellationError())
  }
}
