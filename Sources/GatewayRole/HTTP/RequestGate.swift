import Synchronization

/// Counts what requests hold, so that the gateway's memory has a bound: one request more, or one
/// more body, is refused before it is read.
final class RequestGate: Sendable {
  private struct State {
    var requests = 0
    var bodyBytes = 0
  }

  private let requestsMax: Int
  private let bodyBytesMax: Int
  private let state = Mutex(State())

  init(requestsMax: Int, bodyBytesMax: Int) {
    self.requestsMax = requestsMax
    self.bodyBytesMax = bodyBytesMax
  }

  /// What is held now.
  var held: (requests: Int, bodyBytes: Int) { state.withLock { ($0.requests, $0.bodyBytes) } }

  /// - Returns: false when there are as many as can be.
  func enter() -> Bool {
    state.withLock { state in
      guard state.requests < requestsMax else { return false }
      state.requests += 1
      return true
    }
  }

  /// - Returns: false when the bodies under way leave no room for so much more.
  func hold(bodyBytes: Int) -> Bool {
    state.withLock { state in
      guard state.bodyBytes + bodyBytes <= bodyBytesMax else { return false }
      state.bodyBytes += bodyBytes
      return true
    }
  }

  func leave(bodyBytes: Int) {
    state.withLock { state in
      state.requests -= 1
      state.bodyBytes -= bodyBytes
    }
  }
}
