import Foundation
import Synchronization

/// Looks at a token's file for as long as the backend refuses what it holds, and says when it
/// changed.
final class CredentialWatch: Sendable {
  private struct State {
    var poll: Task<Void, Never>?
    var listeners: [AsyncStream<String>.Continuation] = []
    var isEnded = false
  }

  private let backend: String
  private let tokens: BearerTokenSource
  private let interval: Duration
  private let state = Mutex(State())

  init(backend: String, tokens: BearerTokenSource, interval: Duration) {
    self.backend = backend
    self.tokens = tokens
    self.interval = interval
  }

  /// The backend's name, once for each refused token that was replaced from here on.
  func renewals() -> AsyncStream<String> {
    // One name says all that is to be said.
    let (stream, listener) = AsyncStream.makeStream(
      of: String.self, bufferingPolicy: .bufferingNewest(1))
    let isEnded = state.withLock { state in
      if !state.isEnded { state.listeners.append(listener) }
      return state.isEnded
    }
    if isEnded { listener.finish() }
    return stream
  }

  /// - Parameter version: of the token that was refused.
  func refused(_ version: BearerTokenSource.Version?) {
    guard tokens.canChange else { return }
    state.withLock { state in
      guard state.poll == nil, !state.isEnded else { return }
      state.poll = Task {
        while tokens.version() == version {
          guard (try? await Task.sleep(for: interval)) != nil else { return }
        }
        accepted()
        for listener in self.state.withLock({ $0.listeners }) { listener.yield(backend) }
      }
    }
  }

  /// Nothing is refused any more.
  func accepted() {
    state.withLock { state in
      state.poll?.cancel()
      state.poll = nil
    }
  }

  func end() {
    accepted()
    let listeners = state.withLock { state in
      state.isEnded = true
      return state.listeners
    }
    for listener in listeners { listener.finish() }
  }
}
