// For those who start and watch the process.
extension QueueService {
  /// Has the loop say how the queue is, and records it as metrics.
  ///
  /// - Returns: false when it did not answer in time; `rerankd_queue_responding` is 0 then.
  @discardableResult
  public func recordMetrics(within timeout: Duration) async -> Bool {
    guard let observation = await observation(within: timeout) else {
      metrics.recordSilence()
      return false
    }
    metrics.record(observation)
    return true
  }

  /// Whether the loop turns. A queue that has not started yet, since its ledger is long, is well.
  public func isAlive(within timeout: Duration) async -> Bool {
    if !isListening { return true }
    return await observation(within: timeout) != nil
  }

  /// Whether calls are answered.
  public func isReady(within timeout: Duration) async -> Bool {
    await observation(within: timeout) != nil
  }

  private func observation(within timeout: Duration) async -> QueueObservation? {
    // Nobody reads the mailbox before, nor after.
    guard isListening else { return nil }
    let (observations, continuation) = AsyncStream.makeStream(
      of: QueueObservation.self, bufferingPolicy: .bufferingNewest(1))
    mailbox.post(
      .observe { observation in
        continuation.yield(observation)
        continuation.finish()
      })
    let clock = Task {
      try? await Task.sleep(for: timeout)
      continuation.finish()
    }
    defer { clock.cancel() }
    for await observation in observations { return observation }
    return nil
  }
}
