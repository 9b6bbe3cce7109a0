import RerankdProtocol
import Synchronization

/// What the session has to say on one stream, until the stream has room for it. Small messages that
/// wait together travel as one, so that a busy worker costs the queue few of them. What can wait is
/// bounded: one outcome or release a job held, and progress at most so often.
final class Outbox: Sendable {
  /// Bytes of outcomes that are put together in one message.
  private static let messageBytesMax = 1 << 20

  private struct State {
    var messages: [WorkerMessage] = []
    var reader: CheckedContinuation<Void, Never>?
    var isFinished = false
  }

  private let state = Mutex(State())

  func append(_ message: WorkerMessage) {
    wake { $0.messages.append(message) }
  }

  /// What waits is still sent.
  func finish() {
    wake { $0.isFinished = true }
  }

  /// For one reader: the next message, nil after the last one.
  func next() async -> WorkerMessage? {
    await withCheckedContinuation { continuation in
      let isDue = state.withLock { state in
        let isDue = !state.messages.isEmpty || state.isFinished
        if !isDue { state.reader = continuation }
        return isDue
      }
      if isDue { continuation.resume() }
    }
    return state.withLock { state in
      guard var message = state.messages.first else { return nil }
      var count = 1
      var bytes = Self.bytes(message)
      for next in state.messages.dropFirst() {
        bytes += Self.bytes(next)
        guard bytes <= Self.messageBytesMax, !next.hasAttach else { break }
        message.progress += next.progress
        message.outcomes += next.outcomes
        message.released += next.released
        message.draining = message.draining || next.draining
        message.permitRequests += next.permitRequests
        message.permitReports += next.permitReports
        message.renewedCredentials += next.renewedCredentials
        count += 1
      }
      state.messages.removeFirst(count)
      return message
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let reader = state.withLock { state in
      change(&state)
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume()
  }

  /// Generous for each item, which keeps their number in one message to some thousands as well.
  private static func bytes(_ message: WorkerMessage) -> Int {
    let items =
      message.progress.count + message.released.count + message.attach.held.count
      + message.permitRequests.count + message.renewedCredentials.count
    let reports = message.permitReports.reduce(items * 256) { $0 + 256 + $1.message.utf8.count }
    return message.outcomes.reduce(reports) {
      $0 + 256 + $1.completed.count + $1.failed.partialScores.count
    }
  }
}
