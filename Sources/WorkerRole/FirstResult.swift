import Scoring
import Synchronization

/// Whichever comes first: the operation's result, its deadline, or the task's cancellation.
///
/// A task group would wait for the operation to heed its cancellation. An engine that wedges may never
/// do so, and must not take the worker's books with it: it is cancelled, left behind and not heard.
final class FirstResult<Value: Sendable>: Sendable {
  private enum State {
    case open
    case waiting(CheckedContinuation<Value, any Error>)
    case early(Result<Value, any Error>)
    case taken
  }

  private let state = Mutex(State.open)

  private init() {}

  /// - Throws: ``EngineError`` DEADLINE_EXCEEDED, `CancellationError`, or what the operation throws.
  static func of(
    until deadline: ContinuousClock.Instant,
    _ operation: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let first = FirstResult()
    let work = Task {
      do {
        first.offer(.success(try await operation()))
      } catch {
        first.offer(.failure(error))
      }
    }
    let timer = Deadlines.shared.call(at: deadline) {
      first.offer(
        .failure(
          EngineError(
            code: .deadlineExceeded, message: "The engine did not finish in the job's time.",
            isRetryable: true)))
    }
    defer {
      work.cancel()
      Deadlines.shared.cancel(timer)
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { first.wait($0) }
    } onCancel: {
      first.offer(.failure(CancellationError()))
    }
  }

  private func wait(_ continuation: CheckedContinuation<Value, any Error>) {
    let result: Result<Value, any Error>? = state.withLock { state in
      if case .early(let result) = state {
        state = .taken
        return result
      }
      state = .waiting(continuation)
      return nil
    }
    if let result { continuation.resume(with: result) }
  }

  private func offer(_ result: Result<Value, any Error>) {
    let continuation: CheckedContinuation<Value, any Error>? = state.withLock { state in
      switch state {
      case .open:
        state = .early(result)
        return nil
      case .waiting(let continuation):
        state = .taken
        return continuation
      case .early, .taken:
        return nil
      }
    }
    continuation?.resume(with: result)
  }
}
