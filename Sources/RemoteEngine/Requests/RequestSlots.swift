import Synchronization

/// Lets a bounded number of requests through at a time, first come, first served. How many can wait
/// is bounded by the worker's credit.
final class RequestSlots: Sendable {
  private struct State {
    var free: Int
    var waiting: [(id: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    var cancelledEarly: Set<UInt64> = []
    var nextID: UInt64 = 0
  }

  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(free: count))
  }

  /// - Throws: `CancellationError` when the task is cancelled while it waits, or what the body
  ///   throws.
  func withSlot<Value>(_ body: () async throws -> Value) async throws -> Value {
    try await take()
    defer { giveBack() }
    return try await body()
  }

  private func take() async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let resumption: Result<Void, any Error>? = state.withLock { state in
          if state.cancelledEarly.remove(id) != nil { return .failure(CancellationError()) }
          if state.free > 0 {
            state.free -= 1
            return .success(())
          }
          state.waiting.append((id, continuation))
          return nil
        }
        if let resumption { continuation.resume(with: resumption) }
      }
    } onCancel: {
      let waiting = state.withLock { state in
        guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
          state.cancelledEarly.insert(id)
          return CheckedContinuation<Void, any Error>?.none
        }
        return state.waiting.remove(at: index).continuation
      }
      waiting?.resume(throwing: CancellationError())
    }
    // A handler that ran after the slot was taken left its mark behind.
    _ = state.withLock { $0.cancelledEarly.remove(id) }
  }

  private func giveBack() {
    let next = state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.free += 1
        return CheckedContinuation<Void, any Error>?.none
      }
      return state.waiting.removeFirst().continuation
    }
    next?.resume()
  }
}
