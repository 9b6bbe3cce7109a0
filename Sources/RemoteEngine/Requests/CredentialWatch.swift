import Foundation
import Synchronization

/// Looks at a token's file for as long as the backend refuses what it holds, and says when it changed.
final class CredentialWatch: Sendable {
  /// The backend's name, once for each refused token that was replaced. For one listener.
  let renewals: AsyncStream<String>

  private let backend: String
  private let tokens: BearerTokenSource
  private let interval: Duration
  private let continuation: AsyncStream<String>.Continuation
  private let poll = Mutex<Task<Void, Never>?>(nil)

  init(backend: String, tokens: BearerTokenSource, interval: Duration) {
    self.backend = backend
    self.tokens = tokens
    self.interval = interval
    // One name says all that is to be said.
    (renewals, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// - Parameter version: of the token that was refused.
  func refused(_ version: BearerTokenSource.Version?) {
    guard tokens.canChange else { return }
    poll.withLock { poll in
      guard poll == nil else { return }
      poll = Task {
        while tokens.version() == version {
          guard (try? await Task.sleep(for: interval)) != nil else { return }
        }
        accepted()
        continuation.yield(backend)
      }
    }
  }

  /// Nothing is refused any more.
  func accepted() {
    poll.withLock { poll in
      poll?.cancel()
      poll = nil
    }
  }

  func end() {
    accepted()
    continuation.finish()
  }
}
