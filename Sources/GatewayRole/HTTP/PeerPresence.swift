import NIOCore
import Synchronization

/// Whether the client at the other end of a connection is still there, and what is to be called off
/// when it goes.
final class PeerPresence: Sendable {
  private struct State {
    var isGone = false
    var onGone: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  var isGone: Bool { state.withLock { $0.isGone } }

  func leave() {
    let onGone = state.withLock { state in
      state.isGone = true
      defer { state.onGone = nil }
      return state.onGone
    }
    onGone?()
  }

  /// Cancels the operation when the client goes.
  ///
  /// - Throws: what the operation throws; ``APIError/clientGone`` when that was the reason.
  func whileHere<Value: Sendable>(
    _ operation: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let task = Task { try await operation() }
    let wasGone = state.withLock { state in
      state.onGone = { task.cancel() }
      return state.isGone
    }
    if wasGone { task.cancel() }
    defer { state.withLock { $0.onGone = nil } }
    do {
      return try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
    } catch where isGone {
      throw APIError.clientGone
    }
  }
}

/// Where a request finds the presence of the connection that it came by.
final class PeerRegistry: Sendable {
  private let presences = Mutex<[ObjectIdentifier: PeerPresence]>([:])

  func enter(_ channel: any Channel, _ presence: PeerPresence) {
    presences.withLock { $0[ObjectIdentifier(channel)] = presence }
  }

  func remove(_ channel: any Channel) {
    presences.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
  }

  func presence(of channel: any Channel) -> PeerPresence? {
    presences.withLock { $0[ObjectIdentifier(channel)] }
  }
}
