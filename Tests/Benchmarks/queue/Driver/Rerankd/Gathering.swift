import Synchronization

/// Hands over everything that has come in since the last time, in one go. For one taker.
final class Gathering<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element] = []
    var isFinished = false
    var taker: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  func add(_ element: Element) {
    wake { $0.elements.append(element) }
  }

  /// Nothing more will come.
  func finish() {
    wake { $0.isFinished = true }
  }

  /// Waits until there is at least one. What comes while the taker is being woken counts too.
  /// - Returns: nothing when there is nothing left and nothing more will come.
  func next() async -> [Element] {
    await withCheckedContinuation { continuation in
      let isReady = state.withLock { state in
        let isReady = !state.elements.isEmpty || state.isFinished
        if !isReady { state.taker = continuation }
        return isReady
      }
      if isReady { continuation.resume() }
    }
    return state.withLock { state in
      let elements = state.elements
      state.elements = []
      return elements
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let taker = state.withLock { state in
      change(&state)
      let taker = state.taker
      state.taker = nil
      return taker
    }
    taker?.resume()
  }
}
